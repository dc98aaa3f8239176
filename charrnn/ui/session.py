"""What a visitor's wishes do to what stands on the page: a new text, the buttons, another model, and the writing."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from anyio.to_thread import run_sync

from charrnn.sampling import Dice
from charrnn.ui import example
from charrnn.ui.clicks import Clicks
from charrnn.ui.draft import Draft, parted
from charrnn.ui.history import Version
from charrnn.ui.house import BusyError, House, busy_notice
from charrnn.ui.kept import Kept
from charrnn.ui.link import Link
from charrnn.ui.messages import characters_per_message, full_speed, joined, message_seconds
from charrnn.ui.standing import Standing
from charrnn.ui.store import Store
from charrnn.ui.telling import edits_told
from charrnn.ui.wishes import LONGEST_TEXT, Choice, Manner, Passage, Rewrite, Wishes

NAP = 0.1  # seconds: how late a slow writer may notice a button


class UnwantedError(Exception):
    """What was asked for is no longer wanted, or was about a text that is gone."""


class Session(Standing):
    """
    One visitor. Events of one page share the object, so a slider that moves while text is being written counts from
    the next character on.

    Whoever changes the text or the model holds `lock`: a long text is read in a thread, so that no visitor waits for
    another one's. Pausing and stopping are flags and wait for nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.speed = 30.0
        self.ticket = 0  # of the generator that may write
        self.clicks = Clicks()

    def __deepcopy__(self, memo: dict) -> "Session":
        return Session()  # each visitor begins with a new one

    # ------------------------------------------------------------------ a new text

    def open(self, store: Store) -> None:
        """Begin with an example, so that the page is alive before anything is pressed."""
        self.reader = store.reader()
        self.draft = example.example(store, self.reader)
        self.runs = self.draft.run
        self.state = "finished"

    async def follow(self, store: Store, link: Link) -> None:
        """Begin with the text that a link asks for, written at once; with the example where it asks for none."""
        if self.runs == 0 and link.is_example(store):
            await run_sync(self.open, store)
        else:
            await self.begin(store, replace(link.wishes, prompt=link.passage) if link.passage else link.wishes)
            async with self.lock:
                self.draft.limit = link.to_write
                await run_sync(self.draft.write, self.opened(), self.settings, link.to_write)
            self.state = "finished" if link.to_write else "paused"  # a passage can be written on
        self.speed, self.telling.asked = link.wishes.manner.speed, link.view
        self.telling.saying = {"notice": joined(link.notice(), self.telling.saying.get("notice"))}

    async def restore(self, store: Store, kept: Kept) -> None:
        """Begin with the text that the page has kept while its server was away. Raises ValueError."""
        async with self.lock:
            self.reader = await run_sync(store.reader, kept.choice.name, kept.choice.step)
            self.listen(kept.manner)
            self.replace(kept.draft())
            self.state, self.telling.asked = kept.state, kept.view
            self.telling.saying = {"notice": joined(kept.notice(), self.telling.saying.get("notice"))}

    async def begin(self, store: Store, wishes: Wishes) -> None:
        """Start a new text from the prompt; the snapshot says which characters of it the model does not know."""
        async with self.lock:
            self.reader = await run_sync(store.reader, wishes.choice.name, wishes.choice.step)
            self.ticket += 1
            self.listen(wishes.manner)
            prompt = example.prompt_for(self.reader, wishes.prompt)
            self.replace(Draft.of(0, prompt, Dice(wishes.seed), wishes.characters, wishes.edits))

    async def read(self, passage: Passage) -> str:
        """Read a text instead of writing one -> the message that shows it; the model can write on from its end."""
        async with self.lock:
            reader = self.opened()
            if not reader.vocab.drop_unknown(passage.text)[0]:
                raise ValueError("the passage holds no character that this model knows")
            self.ticket += 1
            self.listen(passage.manner)
            self.replace(Draft.of(0, passage.text, Dice(passage.seed), passage.characters))
            self.draft.limit = 0
            self.state = "paused"
            return await self.snapshot()

    async def write_again(self, store: Store, choice: Choice, wanted: Callable[[], bool]) -> None:
        """
        Begin the text anew from its prompt and with its dice, by another model or another step of its training;
        `writing` then writes as much as there was. Raises UnwantedError.
        """
        async with self.lock:
            if not wanted():
                raise UnwantedError
            self.reader = await run_sync(store.reader, choice.name, choice.step)
            self.ticket += 1
            old = self.draft
            new = Draft.of(0, old.text[: old.prompt_length], old.dice, old.span)
            new.limit, new.again = old.written if self.state == "finished" else old.limit, True
            self.replace(new, remember=not old.again)  # a slider that passes many steps is taken back at once

    # ------------------------------------------------------------------ what the buttons do

    def listen(self, manner: Manner) -> None:
        """From the next character on."""
        self.settings, self.speed = manner.settings, manner.speed

    def prolong(self, manner: Manner) -> None:
        """Go on with the text there is; where it had reached its end, by as many characters again."""
        self.opened()
        self.listen(manner)
        self.draft.prolong()

    async def step(self) -> str:
        """Write one character -> the message that shows it."""
        async with self.lock:
            self.opened()
            if self.state == "writing":
                return self.told()
            if self.draft.is_full:
                return self.say(self.full())
            self.state = "paused"
            return await self.one()

    async def rewrite(self, wish: Rewrite) -> str:
        """
        Let the text branch: another character at one place -> the message that shows it; `writing` writes the rest.

        Raises UnwantedError where the text that was meant is gone, ValueError where there is nothing to choose.
        """
        async with self.lock:
            reader = self.opened()
            if wish.run != self.draft.run:
                raise UnwantedError
            before = self.version()
            self.draft.rewrite(wish.position, wish.character, reader)
            self.history.add(before)
            self.ticket += 1
            self.listen(wish.manner)
            self.draft.prolong()
            self.state = "paused"  # until `writing` takes over
            if self.telling.is_due:
                return await self.one()
            return await self.more(1, "branch", edits=edits_told(self.draft), **self.history.counts())

    async def undo(self, click: int) -> str:
        """Bring back the whole text that stood there before the last Write, Read, Clear or choice of a character."""
        return await self._travel(self.history.undo, click)

    async def redo(self, click: int) -> str:
        """Bring back what was taken back last."""
        return await self._travel(self.history.redo, click)

    async def _travel(self, move: Callable[[Version], Version | None], click: int) -> str:
        async with self.lock:
            self.opened()
            version = move(self.version())
            if version is None:
                return self.told()
            self.clicks.note(click, "paused")
            self.ticket += 1
            common = parted(self.draft.text, version.draft.text)
            self.draft, self.state = version.draft.copy(), version.state
            self.telling.saying = {"notice": None}
            self.reread()
            return await self.snapshot(parted=common)

    def pause(self, click: int) -> None:
        """The generator ends by itself; text and state stay here and hold no place in a queue."""
        self.clicks.note(click, "paused")
        if self.state == "writing":
            self.state = "paused"

    def stop(self, click: int) -> None:
        self.clicks.note(click, "finished")
        if self.state in ("writing", "paused"):
            self.state = "finished"

    def leave(self) -> None:
        """The page is gone: whatever still writes ends."""
        self.ticket += 1

    async def resend(self) -> str | None:
        """Everything once more, for a page that missed a message; None where a running generator will send it."""
        self.opened()
        if self.state == "writing":
            self.telling.is_due = True
            return None
        async with self.lock:
            return await self.snapshot()

    async def clear(self, click: int) -> str:
        """Empty the page; the model stays."""
        self.clicks.note(click, "finished")
        async with self.lock:
            self.opened()
            self.ticket += 1
            self.replace(Draft.of(0, "", self.draft.dice, self.draft.span))
            self.draft.limit = 0
            self.state = "empty"
            return await self.snapshot()

    # ------------------------------------------------------------------ what reads, and what of it is shown

    async def change_model(self, store: Store, choice: Choice, wanted: Callable[[], bool] = lambda: True) -> str | None:
        """
        Let another model, or the same at another step of its training, read the text from its beginning.

        Returns the message that recolours the page; None where a running generator will send it, or where the model is
        no longer wanted when it is this one's turn.
        """
        async with self.lock:
            if not wanted():
                return None
            self.reader = await run_sync(store.reader, choice.name, choice.step)
            self.reread()
            return None if self.state == "writing" else await self.snapshot()

    async def change_view(self, asked: str, wanted: Callable[[], bool] = lambda: True) -> str | None:
        """
        Let the heatmap show something else of the model; where a model has not got it, what is nearest.

        Returns the message that recolours the page; None where a running generator will send it, or where the view is
        no longer wanted when it is this one's turn.
        """
        async with self.lock:
            if not wanted():
                return None
            self.opened()
            self.telling.asked, self.telling.is_due = asked, True
            return None if self.state == "writing" else await self.snapshot()

    # ------------------------------------------------------------------ writing

    async def writing(self, store: Store, click: int = 0) -> AsyncIterator[str]:
        """
        Write up to the limit at the asked speed, a message at a time; ends when paused, stopped or replaced. Where the
        house is full it waits, and tells how many are ahead; where nobody else can wait, it says that and ends.

        A newer generator of the same session takes over: this one then ends without a word. A click that was
        overtaken by a later one writes nothing.
        """
        self.ticket += 1
        mine = self.ticket
        self.state = self.clicks.left if self.clicks.overtook(click) else "writing"
        house, me = store.house, (id(self), mine)
        due = time.perf_counter()
        try:
            if self.state == "writing":
                house.ahead(me)
            while True:
                if me not in house.inside and not self.telling.is_due:
                    async for told in self._waiting(house, me):
                        yield told
                house.hurry(me, self.speed)
                began, speed = time.perf_counter(), self.speed or full_speed(len(house.hurrying))
                async with self.lock:
                    is_more = not self.telling.is_due
                    told = await self._next(characters_per_message(speed, len(house))) if self.ticket == mine else None
                if told is None:
                    break
                yield told
                if is_more:
                    now = time.perf_counter()
                    earliest = now - 0.2 if self.speed else now + house.rest(now - began)
                    due = max(due + message_seconds(speed, len(house)), earliest)
                    await self._nap(mine, due)
                    house.end_turn(me)
            if self.ticket == mine:
                yield self.say(self.full()) if self.draft.is_full else self.told()
        except BusyError as error:
            if self.ticket == mine:
                self.state = "paused"
                if self.telling.is_due:
                    yield await self.show()
                yield self.trouble(error)
        finally:
            house.leave(me)
            if self.ticket == mine and self.state == "writing":
                self.state = "paused"  # the page went away, or an error ended the run

    async def _waiting(self, house: House, me: tuple[int, int]) -> AsyncIterator[str]:
        """What the page is told until there is a place for it, or until its text is to be told anew."""

        def waits() -> bool:
            return self.ticket == me[1] and self.state == "writing" and not self.telling.is_due

        has_told = False
        async for ahead in house.wait(me, waits):
            has_told = True
            is_news = {} if ahead is None else {"ahead": ahead, "notice": busy_notice(ahead)}
            yield self.telling.message("state", self.draft, self.state, **is_news)
        if has_told and self.ticket == me[1]:
            yield self.telling.message("state", self.draft, self.state, notice=None)

    async def _next(self, n: int) -> str | None:
        """The next message of a run, with n more characters at most; None at its end."""
        if self.telling.is_due:
            return await self.snapshot()
        if self.state != "writing":
            return None
        n = min(n, self.draft.limit - self.draft.written, LONGEST_TEXT - len(self.draft.text))
        if n > 0:
            return await self.more(n)
        self.state = "finished"
        return None

    async def _nap(self, mine: int, until: float) -> None:
        await asyncio.sleep(0)  # who is late lets the others go on too
        while (rest := until - time.perf_counter()) > 0 and not self.telling.is_due:
            await asyncio.sleep(min(rest, NAP))
            if self.ticket != mine or self.state != "writing":
                return
