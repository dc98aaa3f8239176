"""What one visitor's page remembers between events: the text, what can be taken back, the model, and the wishes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from charrnn.sampling import Dice
from charrnn.ui import example
from charrnn.ui.clicks import Clicks
from charrnn.ui.draft import Draft, parted
from charrnn.ui.history import History, Version
from charrnn.ui.link import Link
from charrnn.ui.messages import (
    Columns,
    characters_per_message,
    columns_part,
    dropped_notice,
    joined,
    message_seconds,
    notice,
)
from charrnn.ui.reader import Reader
from charrnn.ui.store import Store
from charrnn.ui.telling import Telling, edits_told
from charrnn.ui.wishes import LONGEST_TEXT, Choice, Manner, Passage, Rewrite, Wishes

NAP = 0.1  # seconds: how late a slow writer may notice a button


class UnwantedError(Exception):
    """What was asked for is no longer wanted, or was about a text that is gone."""


class Session:
    """
    One visitor's text and the model that reads it. Events of one page share the object, so a slider that moves while
    text is being written counts from the next character on.

    state: empty, writing, paused or finished. Whoever changes the text or the model holds `lock`: a long text is read
    in a thread, so that no visitor waits for another one's. Pausing and stopping are flags and wait for nothing.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.reader: Reader | None = None
        self.settings = example.SETTINGS
        self.speed = 30.0
        self.draft = Draft.of(0, "", Dice(example.SEED), example.CHARACTERS)
        self.state = "empty"
        self.history = History()
        self.telling = Telling()
        self.runs = 0  # counts the texts
        self.ticket = 0  # of the generator that may write
        self.clicks = Clicks()

    def __deepcopy__(self, memo: dict) -> "Session":
        return Session()  # each visitor begins with a new one

    @property
    def text(self) -> str:
        return self.draft.text

    @property
    def written(self) -> int:
        return self.draft.written

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
            await asyncio.to_thread(self.open, store)
        else:
            await self.begin(store, link.wishes)
            async with self.lock:
                await asyncio.to_thread(self.draft.write, self._opened(), self.settings, self.draft.limit)
            self.state = "finished"
        self.speed, self.telling.asked = link.wishes.manner.speed, link.view
        self.telling.saying = {"notice": joined(link.notice(), self.telling.saying.get("notice"))}

    async def begin(self, store: Store, wishes: Wishes) -> None:
        """Start a new text from the prompt; the snapshot says which characters of it the model does not know."""
        async with self.lock:
            self.reader = await asyncio.to_thread(store.reader, wishes.choice.name, wishes.choice.step)
            self.ticket += 1
            self.listen(wishes.manner)
            self._replace(Draft.of(0, wishes.prompt, Dice(wishes.seed), wishes.characters, wishes.edits))

    async def read(self, passage: Passage) -> str:
        """Read a text instead of writing one -> the message that shows it; the model can write on from its end."""
        async with self.lock:
            reader = self._opened()
            if not reader.vocab.drop_unknown(passage.text)[0]:
                raise ValueError("the passage holds no character that this model knows")
            self.ticket += 1
            self.listen(passage.manner)
            self._replace(Draft.of(0, passage.text, Dice(passage.seed), passage.characters))
            self.draft.limit = 0
            self.state = "paused"
            return await self._snapshot()

    async def write_again(self, store: Store, choice: Choice, wanted: Callable[[], bool]) -> None:
        """
        Begin the text anew from its prompt and with its dice, by another model or another step of its training;
        `writing` then writes as much as there was. Raises UnwantedError.
        """
        async with self.lock:
            if not wanted():
                raise UnwantedError
            self.reader = await asyncio.to_thread(store.reader, choice.name, choice.step)
            self.ticket += 1
            old = self.draft
            new = Draft.of(0, old.text[: old.prompt_length], old.dice, old.span)
            new.limit, new.again = old.written if self.state == "finished" else old.limit, True
            self._replace(new, remember=not old.again)  # a slider that passes many steps is taken back at once

    def _replace(self, draft: Draft, remember: bool = True) -> None:
        """Another text stands on the page now; the one before can be had back."""
        if remember and self.state != "empty":
            self.history.add(self._version())
        self.telling.saying = {"notice": None}
        self.runs += 1
        draft.run = self.runs
        self.draft = draft
        self._reread()

    def _reread(self) -> None:
        """The present model is to read the text; what it does not know is left out and told."""
        dropped = self.draft.known_to(self._opened())
        if dropped:
            self.telling.saying = {"notice": dropped_notice(dropped)}
        self.telling.is_due = True

    def _opened(self) -> Reader:
        if self.reader is None:
            raise ValueError("the server no longer knows this page: reload it")
        return self.reader

    # ------------------------------------------------------------------ what the buttons do

    def listen(self, manner: Manner) -> None:
        """From the next character on."""
        self.settings, self.speed = manner.settings, manner.speed

    def prolong(self, manner: Manner) -> None:
        """Go on with the text there is; where it had reached its end, by as many characters again."""
        self._opened()
        self.listen(manner)
        self.draft.prolong()

    async def step(self) -> str:
        """Write one character -> the message that shows it."""
        async with self.lock:
            self._opened()
            if self.state == "writing":
                return self.told()
            if self.draft.is_full:
                return self._say(self._full())
            self.state = "paused"
            return await self._one()

    async def rewrite(self, wish: Rewrite) -> str:
        """
        Let the text branch: another character at one place -> the message that shows it; `writing` writes the rest.

        Raises UnwantedError where the text that was meant is gone, ValueError where there is nothing to choose.
        """
        async with self.lock:
            reader = self._opened()
            if wish.run != self.draft.run:
                raise UnwantedError
            before = self._version()
            self.draft.rewrite(wish.position, wish.character, reader)
            self.history.add(before)
            self.ticket += 1
            self.listen(wish.manner)
            self.draft.prolong()
            self.state = "paused"  # until `writing` takes over
            if self.telling.is_due:
                return await self._one()
            return await self._more(1, "branch", edits=edits_told(self.draft), **self.history.counts())

    async def undo(self, click: int) -> str:
        """Bring back the whole text that stood there before the last Write, Read, Clear or choice of a character."""
        return await self._travel(self.history.undo, click)

    async def redo(self, click: int) -> str:
        """Bring back what was taken back last."""
        return await self._travel(self.history.redo, click)

    async def _travel(self, move: Callable[[Version], Version | None], click: int) -> str:
        async with self.lock:
            self._opened()
            version = move(self._version())
            if version is None:
                return self.told()
            self.clicks.note(click, "paused")
            self.ticket += 1
            common = parted(self.draft.text, version.draft.text)
            self.draft, self.state = version.draft.copy(), version.state
            self.telling.saying = {"notice": None}
            self._reread()
            return await self._snapshot(parted=common)

    def _version(self) -> Version:
        return Version.of(self.draft, self.state)

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
        self._opened()
        if self.state == "writing":
            self.telling.is_due = True
            return None
        async with self.lock:
            return await self._snapshot()

    async def clear(self, click: int) -> str:
        """Empty the page; the model stays."""
        self.clicks.note(click, "finished")
        async with self.lock:
            self._opened()
            self.ticket += 1
            self._replace(Draft.of(0, "", self.draft.dice, self.draft.span))
            self.draft.limit = 0
            self.state = "empty"
            return await self._snapshot()

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
            self.reader = await asyncio.to_thread(store.reader, choice.name, choice.step)
            self._reread()
            return None if self.state == "writing" else await self._snapshot()

    async def change_view(self, asked: str, wanted: Callable[[], bool] = lambda: True) -> str | None:
        """
        Let the heatmap show something else of the model; where a model has not got it, what is nearest.

        Returns the message that recolours the page; None where a running generator will send it, or where the view is
        no longer wanted when it is this one's turn.
        """
        async with self.lock:
            if not wanted():
                return None
            self._opened()
            self.telling.asked, self.telling.is_due = asked, True
            return None if self.state == "writing" else await self._snapshot()

    # ------------------------------------------------------------------ writing

    async def writing(self, store: Store, click: int = 0) -> AsyncIterator[str]:
        """
        Write up to the limit at the asked speed, a message at a time; ends when paused, stopped or replaced.

        A newer generator of the same session takes over: this one then ends without a word. A click that was
        overtaken by a later one writes nothing.
        """
        self.ticket += 1
        mine = self.ticket
        self.state = self.clicks.left if self.clicks.overtook(click) else "writing"
        store.writers.add(mine_of := (id(self), mine))
        due = time.perf_counter()
        try:
            while True:
                writers = len(store.writers)
                async with self.lock:
                    is_more = not self.telling.is_due
                    n = characters_per_message(self.speed, writers)
                    told = await self._next(n) if self.ticket == mine else None
                if told is None:
                    break
                yield told
                if is_more:
                    due = max(due + message_seconds(self.speed, writers), time.perf_counter() - 0.2)
                    await self._nap(mine, due)
            if self.ticket == mine:
                yield self._say(self._full()) if self.draft.is_full else self.told()
        finally:
            store.writers.discard(mine_of)
            if self.ticket == mine and self.state == "writing":
                self.state = "paused"  # the page went away, or an error ended the run

    async def _next(self, n: int) -> str | None:
        """The next message of a run, with n more characters at most; None at its end."""
        if self.telling.is_due:
            return await self._snapshot()
        if self.state != "writing":
            return None
        n = min(n, self.draft.limit - self.draft.written, LONGEST_TEXT - len(self.draft.text))
        if n > 0:
            return await self._more(n)
        self.state = "finished"
        return None

    async def _nap(self, mine: int, until: float) -> None:
        await asyncio.sleep(0)  # who is late lets the others go on too
        while (rest := until - time.perf_counter()) > 0 and not self.telling.is_due:
            await asyncio.sleep(min(rest, NAP))
            if self.ticket != mine or self.state != "writing":
                return

    # ------------------------------------------------------------------ messages

    async def show(self) -> str:
        """Everything about the text, as the present model reads it."""
        async with self.lock:
            return await self._snapshot()

    async def _snapshot(self, **more: int) -> str:
        columns = await self.telling.read(self._opened(), self.draft)
        return self._start(columns, len(self.draft.text), **more)

    def _start(self, columns: Columns, instant: int, **more: int) -> str:
        kept = self.history.counts()
        return self.telling.start(self._opened(), self.draft, self.state, columns, instant, **kept, **more)

    async def _one(self) -> str:
        """One more character, and everything before it where that is due."""
        if not self.telling.is_due:
            return await self._more(1)
        given = await self.telling.read(self._opened(), self.draft)
        return self._start(given.and_then(await self._written(1)), instant=len(self.draft.text) - 1)

    async def _more(self, n: int, kind: str = "more", **parts: Any) -> str:
        """The message that brings n more characters; one of the kind branch also takes away what stood there."""
        start = len(self.draft.text)
        part = columns_part(start, await self._written(n))
        return self.telling.message(kind, self.draft, self.state, **part, **parts)

    async def _written(self, n: int) -> Columns:
        return await self.telling.write(self._opened(), self.draft, self.settings, n)

    def trouble(self, error: ValueError) -> str:
        """What the page is told when an event could not be carried out; the text stays, and goes on."""
        return self._say(notice(str(error), problem=True))

    def told(self) -> str:
        return self.telling.message("state", self.draft, self.state)

    def _say(self, said: dict[str, str]) -> str:
        return self.telling.message("state", self.draft, self.state, notice=said)

    def _full(self) -> dict[str, str]:
        return notice(f"The page holds {LONGEST_TEXT} characters: press Write for a new text.")
