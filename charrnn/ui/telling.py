"""What one page is told of its text: read by the present model, or written on; and in which order."""

import asyncio
import secrets
from dataclasses import asdict
from typing import Any

import numpy as np

from charrnn.sampling import SamplingSettings, Trace
from charrnn.ui.activations import nearest
from charrnn.ui.draft import Draft
from charrnn.ui.messages import Columns, columns_part, message, packed
from charrnn.ui.reader import Reader

AT_ONCE = 4  # characters; more of them, a few milliseconds' work, are written beside the event loop


class Telling:
    """The messages of one page, numbered, and what its heatmap shows. Whoever calls it holds the session's lock."""

    def __init__(self) -> None:
        self.name = secrets.token_hex(4)  # of the session: a page whose messages bear another one was forgotten
        self.serial = 0  # counts the messages
        self.is_due = False  # everything is to be told anew
        self.saying: dict[str, Any] = {}  # a notice, and what else goes with it
        self.asked = ""  # what the visitor wants the heatmap to show, and what it shows
        self.shown = ""

    def message(self, kind: str, draft: Draft, state: str, **parts: Any) -> str:
        """The next message."""
        self.serial += 1
        return message(kind, self.serial, draft.run, session=self.name, state=state, **parts)

    async def read(self, reader: Reader, draft: Draft) -> Columns:
        """The whole text, read beside the event loop; the model then stands at its end."""
        text, asked = draft.text, self.asked

        def read() -> tuple[str, Trace]:
            shown = nearest(reader.names, asked)
            reader.display(shown)
            return shown, reader.read(text, shown)

        self.shown, trace = await asyncio.to_thread(read)
        if draft.reading is None:  # else it stands there already, and what it writes does not hang on what is shown
            draft.reading = trace.end
        return _columns(draft, 0, trace.activations[self.shown], trace.logits)

    async def write(self, reader: Reader, draft: Draft, settings: SamplingSettings, n: int) -> Columns:
        """Write n characters, at least one; much of it beside the event loop, so that no other visitor waits."""
        start = len(draft.text)
        if n <= AT_ONCE and draft.reading is not None:
            steps = draft.write(reader, settings, n)
        else:
            steps = await asyncio.to_thread(draft.write, reader, settings, n)
        values = np.stack([step.reading.activations[self.shown] for step in steps])
        return _columns(draft, start, values, np.stack([step.reading.logits for step in steps]))

    def start(
        self, reader: Reader, draft: Draft, state: str, columns: Columns, instant: int | None = None, **more: Any
    ) -> str:
        """Everything about a text; its first `instant` characters are to stand there at once, or all of them."""
        self.is_due, said, self.saying = False, self.saying, {}
        return self.message(
            "start",
            draft,
            state,
            model=reader.describe(),
            view=reader.display(self.shown).told(),
            prompt=draft.prompt_length,
            seed=draft.dice.seed,
            span=draft.span,
            limit=draft.limit,
            start_logits=packed(reader.beginning.logits),
            start_draw=draft.draw_after(-1),
            instant=len(draft.text) if instant is None else instant,
            edits=edits_told(draft),
            writers=writers_told(draft),
            **columns_part(0, columns),
            **more,
            **said,
        )


def edits_told(draft: Draft) -> list[tuple[int, str]]:
    """The characters the visitor chose, by position from the first written one."""
    return sorted(draft.edits.items())


def writers_told(draft: Draft) -> list[tuple[int, dict[str, Any]]]:
    """Which network wrote from which position on."""
    return [(at, asdict(writer)) for at, writer in draft.writers]


def _columns(draft: Draft, start: int, values: np.ndarray, logits: np.ndarray) -> Columns:
    draws = [draft.draw_after(position) for position in range(start, len(draft.text))]
    return Columns(draft.text[start:], values, logits, draws)
