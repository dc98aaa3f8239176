"""What one visitor's page remembers between events: the text, where the model stands in it, and the wishes."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.sampling import Dice, Reading, SamplingSettings, Step, generate
from charrnn.ui.messages import (
    Columns,
    characters_per_message,
    columns_part,
    dropped_notice,
    message,
    message_seconds,
    notice,
    packed,
)
from charrnn.ui.store import Reader, Store

LONGEST_PROMPT = 1000
LONGEST_RUN = 3000
LONGEST_TEXT = 6000
FASTEST_SPEED = 1000.0
NAP = 0.1  # seconds: how late a slow writer may notice a button
EXAMPLE_PROMPT, EXAMPLE_SEED, EXAMPLE_CHARACTERS = "ROMEO:\n", 7, 420
EXAMPLE_SETTINGS = SamplingSettings(temperature=0.8)


@dataclass(frozen=True)
class Wishes:
    """What the left column says at the moment of an event."""

    settings: SamplingSettings
    speed: float
    prompt: str
    seed: int
    characters: int
    checkpoint: str | None
    step: int | None

    @classmethod
    def from_page(cls, data: dict[str, Any]) -> "Wishes":
        """
        Read what the page sent; anything could have sent it, so every number is checked.

        Raises ValueError where a value is not a number, or out of range.
        """
        try:
            checkpoint = data.get("checkpoint") or {}
            return cls(
                settings=SamplingSettings(
                    float(data["temperature"]), int(data["top_k"]), float(data["top_p"]), float(data["min_p"])
                ),
                speed=min(FASTEST_SPEED, max(0.0, float(data["speed"]))),
                prompt=str(data["prompt"])[:LONGEST_PROMPT],
                seed=Dice(int(data["seed"])).seed,
                characters=min(LONGEST_RUN, max(1, int(data["characters"]))),
                checkpoint=str(checkpoint["name"]) if checkpoint else None,
                step=int(checkpoint["step"]) if checkpoint else None,
            )
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"the page sent settings that cannot be used: {error}") from error


class Session:
    """
    One visitor's text and the model that reads it. Events of one page share the object, so a slider that moves while
    text is being written counts from the next character on.

    state: empty, writing, paused or finished.
    """

    def __init__(self) -> None:
        self.reader: Reader | None = None
        self.reading: Reading | None = None
        self.settings = EXAMPLE_SETTINGS
        self.speed = 30.0
        self.dice = Dice(EXAMPLE_SEED)
        self.text = ""
        self.prompt_length = 0
        self.limit = 0  # characters to have written at the end of the run
        self.state = "empty"
        self.run = 0  # counts the texts
        self.serial = 0  # counts the messages
        self.ticket = 0  # of the generator that may write
        self.snapshot_due = False
        self.tab = "write"

    def __deepcopy__(self, memo: dict) -> "Session":
        return Session()  # each visitor begins with a new one

    @property
    def written(self) -> int:
        return len(self.text) - self.prompt_length

    # ------------------------------------------------------------------ what the buttons do

    def open(self, store: Store, name: str | None = None, step: int | None = None) -> None:
        """Begin with an example, so that the page is alive before anything is pressed."""
        self.reader = store.reader(name, step)
        key = ("example", self.reader.info.sha256, self.reader.checkpoint.step)
        self.text, self.prompt_length, self.reading = store.worked_out(key, self._example)
        self.limit = self.written
        self.state = "finished"
        self.run += 1

    def _example(self) -> tuple[str, int, Reading]:
        assert self.reader
        prompt, _ = self.reader.vocab.drop_unknown(EXAMPLE_PROMPT)
        self._set_text(prompt)
        self.dice, self.settings = Dice(EXAMPLE_SEED), EXAMPLE_SETTINGS
        self.write_some(EXAMPLE_CHARACTERS)
        assert self.reading
        return self.text, self.prompt_length, self.reading

    def begin(self, store: Store, wishes: Wishes) -> dict[str, str] | None:
        """Start a new text from the prompt; says which characters of it the model does not know."""
        self.reader = store.reader(wishes.checkpoint, wishes.step)
        self.dice = Dice(wishes.seed)
        self.listen(wishes)
        prompt, dropped = self.reader.vocab.drop_unknown(wishes.prompt)
        self._set_text(prompt)
        self.limit = wishes.characters
        self.run += 1
        return dropped_notice(dropped)

    def listen(self, wishes: Wishes) -> None:
        """From the next character on."""
        self.settings, self.speed = wishes.settings, wishes.speed

    def prolong(self, wishes: Wishes) -> None:
        """Go on with the text there is; where it had reached its end, by as many characters again."""
        self.listen(wishes)
        if self.written >= self.limit:
            self.limit = self.written + wishes.characters

    def step(self, store: Store, wishes: Wishes) -> str:
        """Write one character -> the message that shows it."""
        if self.state == "writing":
            return self._message("state", state=self.state)
        if self.reading is None or self.state == "empty":
            said = self.begin(store, wishes)
            self.state = "paused"
            self.write_some(1)
            return self.snapshot(notice=said, instant=self.prompt_length)
        self.listen(wishes)
        if len(self.text) >= LONGEST_TEXT:
            return self._message("state", state=self.state, notice=self._full())
        self.state = "paused"
        return self._more(1)

    def pause(self) -> None:
        """The generator ends by itself; text and state stay here and hold no place in a queue."""
        if self.state == "writing":
            self.state = "paused"

    def stop(self) -> None:
        if self.state in ("writing", "paused"):
            self.state = "finished"

    def leave(self) -> None:
        """The page is gone: whatever still writes ends."""
        self.ticket += 1

    def resend(self) -> str | None:
        """Everything once more, for a page that missed a message; None where a running generator will send it."""
        if self.state == "writing":
            self.snapshot_due = True
            return None
        return self.snapshot()

    def clear(self) -> str:
        """Empty the page; the model stays."""
        self._set_text("")
        self.state, self.limit = "empty", 0
        self.run += 1
        self.ticket += 1
        return self.snapshot(notice=None)

    def change_model(self, store: Store, wishes: Wishes) -> str | None:
        """
        Let another model, or the same at another step of its training, read the text from its beginning.

        Returns the message that recolours the page, or None where a running generator will send it.
        """
        self.reader = store.reader(wishes.checkpoint, wishes.step)
        text, dropped = self.reader.vocab.drop_unknown(self.text)
        given, _ = self.reader.vocab.drop_unknown(self.text[: self.prompt_length])
        self.text, self.prompt_length = text, len(given)
        self.reading = self.reader.decoder.prefill(self.reader.vocab.encode(text))
        if self.state == "writing":
            self.snapshot_due = True
            return None
        return self.snapshot(notice=dropped_notice(dropped))

    def _set_text(self, text: str) -> None:
        assert self.reader
        self.text, self.prompt_length = text, len(text)
        self.reading = self.reader.decoder.prefill(self.reader.vocab.encode(text))

    # ------------------------------------------------------------------ writing

    def write_some(self, n: int) -> list[Step]:
        """Write n characters with the settings of this moment."""
        assert self.reader and self.reading
        steps = list(generate(self.reader.decoder, self.reading, n, self.settings, self.dice, start=self.written))
        if steps:
            self.reading = steps[-1].reading
            self.text += self.reader.vocab.decode([step.id for step in steps])
        return steps

    async def writing(self, store: Store, fresh: bool, said: dict[str, str] | None = None) -> AsyncIterator[str]:
        """
        Write up to the limit at the asked speed, a message at a time; ends when paused, stopped or replaced.

        A newer generator of the same session takes over: this one then ends without a word.
        """
        self.ticket += 1
        mine = self.ticket
        self.state = "writing"
        self.snapshot_due = fresh
        store.writers.add(mine_of := (id(self), mine))
        due = time.perf_counter()
        try:
            while self.ticket == mine and self.state == "writing":
                if self.snapshot_due:
                    self.snapshot_due = False
                    yield self.snapshot(notice=said)
                    said = None
                if self.written >= self.limit or len(self.text) >= LONGEST_TEXT:
                    self.state = "finished"
                    break
                writers = len(store.writers)
                n = characters_per_message(self.speed, writers)
                now = time.perf_counter()
                due = max(due + message_seconds(self.speed, writers), now - 0.2)
                yield self._more(min(n, self.limit - self.written, LONGEST_TEXT - len(self.text)))
                while (rest := due - time.perf_counter()) > 0 and not self.snapshot_due:
                    await asyncio.sleep(min(rest, NAP))
                    if self.ticket != mine or self.state != "writing":
                        break
            if self.ticket == mine:
                full = len(self.text) >= LONGEST_TEXT
                yield self._message("state", state=self.state, **({"notice": self._full()} if full else {}))
        finally:
            store.writers.discard(mine_of)
            if self.ticket == mine and self.state == "writing":
                self.state = "paused"  # the page went away, or an error ended the run

    # ------------------------------------------------------------------ messages

    def snapshot(self, instant: int | None = None, **parts: Any) -> str:
        """Everything about the text, as the present model reads it."""
        assert self.reader
        columns = self._columns(self.text, self.reader.read(self.text), 0)
        return self._message(
            "start",
            state=self.state,
            model=self.reader.describe(),
            orders=self.reader.orders,
            prompt=self.prompt_length,
            start_logits=packed(self.reader.beginning.logits),
            start_draw=self._draw_after(-1),
            instant=len(self.text) if instant is None else instant,
            **columns_part(0, columns),
            **parts,
        )

    def _more(self, n: int) -> str:
        start = len(self.text)
        steps = self.write_some(n)
        columns = self._columns(self.text[start:], [step.reading for step in steps], start)
        return self._message("more", state=self.state, **columns_part(start, columns))

    def _columns(self, text: str, readings: list[Reading], start: int) -> Columns:
        """What reading this text, whose first character stands at `start`, left behind."""
        assert self.reader
        beginning = self.reader.beginning  # an empty array has to know its width
        rows = [beginning, *readings]
        return Columns(
            text,
            np.stack([reading.state.h for reading in rows])[1:],
            np.stack([reading.logits for reading in rows])[1:],
            [self._draw_after(start + i) for i in range(len(text))],
        )

    def _draw_after(self, position: int) -> float | None:
        """The uniform of the character after this position; None where the prompt gives it."""
        index = position + 1 - self.prompt_length
        return None if index < 0 else self.dice[index]

    def trouble(self, error: ValueError) -> str:
        """What the page is told when an event could not be carried out; the text stays."""
        if self.state == "writing":
            self.state = "paused"
        return self._message("state", state=self.state, notice=notice(str(error), problem=True))

    def told(self) -> str:
        return self._message("state", state=self.state)

    def _full(self) -> dict[str, str]:
        return notice(f"The page holds {LONGEST_TEXT} characters: press Write for a new text.")

    def _message(self, kind: str, **parts: Any) -> str:
        self.serial += 1
        return message(kind, self.serial, self.run, **parts)
