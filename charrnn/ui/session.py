"""What one visitor's page remembers between events: the text, where the model stands in it, and the wishes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np

from charrnn.sampling import Dice, Reading, SamplingSettings, Step, Trace, generate
from charrnn.ui.activations import nearest
from charrnn.ui.link import Link
from charrnn.ui.messages import (
    Columns,
    characters_per_message,
    columns_part,
    dropped_notice,
    joined,
    message,
    message_seconds,
    notice,
    packed,
)
from charrnn.ui.reader import Reader
from charrnn.ui.store import Store
from charrnn.ui.wishes import Choice, Manner, Wishes

LONGEST_TEXT = 6000
AT_ONCE = 4  # characters; more of them, a few milliseconds' work, are written beside the event loop
NAP = 0.1  # seconds: how late a slow writer may notice a button
EXAMPLE_PROMPT, EXAMPLE_SEED, EXAMPLE_CHARACTERS = "ROMEO:\n", 7, 400
EXAMPLE_SETTINGS = SamplingSettings(temperature=0.8)


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
        self.reading: Reading | None = None  # at the end of the text; None until a snapshot has read it
        self.settings = EXAMPLE_SETTINGS
        self.speed = 30.0
        self.dice = Dice(EXAMPLE_SEED)
        self.text = ""
        self.prompt_length = 0
        self.span = EXAMPLE_CHARACTERS  # characters of one run
        self.limit = 0  # characters to have written at the end of the run
        self.state = "empty"
        self.run = 0  # counts the texts
        self.serial = 0  # counts the messages
        self.ticket = 0  # of the generator that may write
        self.click = 0  # of the last Pause, Stop or Clear
        self.sent: dict[str, int] = {}  # the number of the newest event of each name
        self.snapshot_due = False
        self.saying: dict[str, Any] = {}  # a notice that goes with the next snapshot
        self.asked = ""  # what the visitor wants the heatmap to show, and what it shows
        self.shown = ""
        self.tab = "write"
        self.measurement = 0  # counts those of the gradients

    def __deepcopy__(self, memo: dict) -> "Session":
        return Session()  # each visitor begins with a new one

    @property
    def written(self) -> int:
        return len(self.text) - self.prompt_length

    # ------------------------------------------------------------------ what the buttons do

    def open(self, store: Store) -> None:
        """Begin with an example, so that the page is alive before anything is pressed."""
        self.reader = store.reader()
        key = ("example", self.reader.info.sha256, self.reader.checkpoint.step)
        self.text, self.prompt_length, self.reading = store.worked_out(key, self._example)
        self.limit = self.written
        self.state = "finished"
        self.run += 1

    async def follow(self, store: Store, link: Link) -> None:
        """Begin with the text that a link asks for, written at once; with the example where it asks for none."""
        if link.is_example(store):
            await asyncio.to_thread(self.open, store)
        else:
            await self.begin(store, link.wishes)
            await asyncio.to_thread(self._write_whole)
        self.speed, self.asked = link.wishes.manner.speed, link.view
        self.saying = {"notice": joined(link.notice(), self.saying.get("notice"))}

    def _write_whole(self) -> None:
        reader = self._opened()
        self.reading = reader.decoder.prefill(reader.vocab.encode(self.text))
        self.write_some(self.limit)
        self.state = "finished"

    def _example(self) -> tuple[str, int, Reading]:
        reader = self._opened()
        self.text, _ = reader.vocab.drop_unknown(EXAMPLE_PROMPT)
        self.prompt_length = len(self.text)
        self.reading = reader.decoder.prefill(reader.vocab.encode(self.text))
        last = self.write_some(EXAMPLE_CHARACTERS)[-1]
        return self.text, self.prompt_length, last.reading

    def _opened(self) -> Reader:
        if self.reader is None:
            raise ValueError("the server no longer knows this page: reload it")
        return self.reader

    async def begin(self, store: Store, wishes: Wishes) -> None:
        """Start a new text from the prompt; the snapshot says which characters of it the model does not know."""
        async with self.lock:
            self.reader = await asyncio.to_thread(store.reader, wishes.choice.name, wishes.choice.step)
            self.ticket += 1
            self.dice = Dice(wishes.seed)
            self.listen(wishes.manner)
            prompt, dropped = self.reader.vocab.drop_unknown(wishes.prompt)
            self._set_text(prompt, len(prompt))
            self.limit = self.span = wishes.characters
            self.run += 1
            self.saying = {"notice": dropped_notice(dropped)}

    def listen(self, manner: Manner) -> None:
        """From the next character on."""
        self.settings, self.speed = manner.settings, manner.speed

    def prolong(self, manner: Manner) -> None:
        """Go on with the text there is; where it had reached its end, by as many characters again."""
        self._opened()
        self.listen(manner)
        if self.written >= self.limit:
            self.limit = self.written + self.span

    async def step(self) -> str:
        """Write one character -> the message that shows it."""
        async with self.lock:
            self._opened()
            if self.state == "writing":
                return self.told()
            if len(self.text) >= LONGEST_TEXT:
                return self._message("state", state=self.state, notice=self._full())
            self.state = "paused"
            if not self.snapshot_due:
                return await self._more(1)
            given = await self._read_text()
            return self._start(given.and_then(await self._written(1)), instant=self.prompt_length)

    def pause(self, click: int) -> None:
        """The generator ends by itself; text and state stay here and hold no place in a queue."""
        self.click = max(self.click, click)
        if self.state == "writing":
            self.state = "paused"

    def stop(self, click: int) -> None:
        self.click = max(self.click, click)
        if self.state in ("writing", "paused"):
            self.state = "finished"

    def is_overtaken(self, click: int) -> bool:
        """Whether a later click took back this one, which had to wait in the queue."""
        return click < self.click

    def leave(self) -> None:
        """The page is gone: whatever still writes ends."""
        self.ticket += 1

    async def resend(self) -> str | None:
        """Everything once more, for a page that missed a message; None where a running generator will send it."""
        self._opened()
        if self.state == "writing":
            self.snapshot_due = True
            return None
        async with self.lock:
            return await self.snapshot()

    async def clear(self, click: int) -> str:
        """Empty the page; the model stays."""
        self.click = max(self.click, click)
        async with self.lock:
            self._opened()
            self._set_text("", 0)
            self.state, self.limit = "empty", 0
            self.run += 1
            self.ticket += 1
            self.saying = {"notice": None}
            return await self.snapshot()

    def newest(self, event: str, sent: int) -> Callable[[], bool]:
        """Note that the page has sent an event, which may come late -> whether it is the newest of its name."""
        self.sent[event] = max(sent, self.sent.get(event, 0))
        return lambda: sent >= self.sent[event]

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
            text, dropped = self.reader.vocab.drop_unknown(self.text)
            given, _ = self.reader.vocab.drop_unknown(self.text[: self.prompt_length])
            self._set_text(text, len(given))
            if dropped:
                self.saying = {"notice": dropped_notice(dropped)}
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
            self._opened()
            self.asked, self.snapshot_due = asked, True
            return None if self.state == "writing" else await self.snapshot()

    def _set_text(self, text: str, prompt_length: int) -> None:
        self.text, self.prompt_length = text, prompt_length
        self.reading, self.snapshot_due = None, True

    # ------------------------------------------------------------------ writing

    def write_some(self, n: int) -> list[Step]:
        """Write n characters with the settings of this moment."""
        assert self.reader and self.reading
        steps = list(generate(self.reader.decoder, self.reading, n, self.settings, self.dice, start=self.written))
        if steps:
            self.reading = steps[-1].reading
            self.text += self.reader.vocab.decode([step.id for step in steps])
        return steps

    async def writing(self, store: Store, click: int = 0) -> AsyncIterator[str]:
        """
        Write up to the limit at the asked speed, a message at a time; ends when paused, stopped or replaced.

        A newer generator of the same session takes over: this one then ends without a word. A click that was
        overtaken by a later one writes nothing.
        """
        self.ticket += 1
        mine = self.ticket
        self.state = "paused" if self.is_overtaken(click) else "writing"
        store.writers.add(mine_of := (id(self), mine))
        due = time.perf_counter()
        try:
            while True:
                writers = len(store.writers)
                async with self.lock:
                    is_more = not self.snapshot_due
                    n = characters_per_message(self.speed, writers)
                    told = await self._next(n) if self.ticket == mine else None
                if told is None:
                    break
                yield told
                if is_more:
                    due = max(due + message_seconds(self.speed, writers), time.perf_counter() - 0.2)
                    await self._nap(mine, due)
            if self.ticket == mine:
                full = len(self.text) >= LONGEST_TEXT
                yield self._message("state", state=self.state, **({"notice": self._full()} if full else {}))
        finally:
            store.writers.discard(mine_of)
            if self.ticket == mine and self.state == "writing":
                self.state = "paused"  # the page went away, or an error ended the run

    async def _next(self, n: int) -> str | None:
        """The next message of a run, with n more characters at most; None at its end."""
        if self.snapshot_due:
            return await self.snapshot()
        if self.state != "writing":
            return None
        n = min(n, self.limit - self.written, LONGEST_TEXT - len(self.text))
        if n > 0:
            return await self._more(n)
        self.state = "finished"
        return None

    async def _nap(self, mine: int, until: float) -> None:
        await asyncio.sleep(0)  # who is late lets the others go on too
        while (rest := until - time.perf_counter()) > 0 and not self.snapshot_due:
            await asyncio.sleep(min(rest, NAP))
            if self.ticket != mine or self.state != "writing":
                return

    # ------------------------------------------------------------------ messages

    async def snapshot(self) -> str:
        """Everything about the text, as the present model reads it."""
        return self._start(await self._read_text(), instant=len(self.text))

    async def _read_text(self) -> Columns:
        """The whole text, read beside the event loop; the model then stands at its end."""
        reader, text, asked = self._opened(), self.text, self.asked

        def read() -> tuple[str, Trace]:
            shown = nearest(reader.names, asked)
            reader.display(shown)
            return shown, reader.read(text, shown)

        self.shown, trace = await asyncio.to_thread(read)
        if self.reading is None:  # else it stands there already, and what it writes does not hang on what is shown
            self.reading = trace.end
        return self._columns(0, text, trace.activations[self.shown], trace.logits)

    def _start(self, columns: Columns, instant: int) -> str:
        reader = self._opened()
        self.snapshot_due, said, self.saying = False, self.saying, {}
        return self._message(
            "start",
            state=self.state,
            model=reader.describe(),
            view=reader.display(self.shown).told(),
            prompt=self.prompt_length,
            start_logits=packed(reader.beginning.logits),
            start_draw=self._draw_after(-1),
            instant=instant,
            **columns_part(0, columns),
            **said,
        )

    async def _more(self, n: int) -> str:
        start = len(self.text)
        columns = await self._written(n)
        return self._message("more", state=self.state, **columns_part(start, columns))

    async def _written(self, n: int) -> Columns:
        """Write n characters, at least one; many of them beside the event loop, so that no other visitor waits."""
        start = len(self.text)
        steps = self.write_some(n) if n <= AT_ONCE else await asyncio.to_thread(self.write_some, n)
        values = np.stack([step.reading.activations[self.shown] for step in steps])
        logits = np.stack([step.reading.logits for step in steps])
        return self._columns(start, self.text[start:], values, logits)

    def _columns(self, start: int, text: str, values: np.ndarray, logits: np.ndarray) -> Columns:
        return Columns(text, values, logits, [self._draw_after(start + i) for i in range(len(text))])

    def _draw_after(self, position: int) -> float | None:
        """The uniform of the character after this position; None where the prompt gives it."""
        index = position + 1 - self.prompt_length
        return None if index < 0 else self.dice[index]

    def trouble(self, error: ValueError) -> str:
        """What the page is told when an event could not be carried out; the text stays, and goes on."""
        return self._message("state", state=self.state, notice=notice(str(error), problem=True))

    def told(self) -> str:
        return self._message("state", state=self.state)

    def _full(self) -> dict[str, str]:
        return notice(f"The page holds {LONGEST_TEXT} characters: press Write for a new text.")

    def _message(self, kind: str, **parts: Any) -> str:
        self.serial += 1
        return message(kind, self.serial, self.run, **parts)
