"""What a page kept of its text when its server went away, and brings when it opens anew, here or at another process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from charrnn.sampling import Dice
from charrnn.seeds import SEEDS
from charrnn.ui.draft import Draft
from charrnn.ui.messages import notice
from charrnn.ui.source_text import Writer, writers_of
from charrnn.ui.wishes import (
    LONGEST_RUN,
    LONGEST_TEXT,
    Choice,
    Manner,
    edits_of,
    text,
    view_of,
    whole,
)

STATES = ("empty", "paused", "finished")


@dataclass(frozen=True)
class Kept:
    """A text as it stood, with what it goes on by: with the same dice it becomes what it would have become."""

    manner: Manner
    choice: Choice
    text: str
    prompt: int  # how many characters of it were given
    seed: int
    span: int
    limit: int
    edits: Mapping[int, str]
    writers: tuple[tuple[int, Writer], ...]
    state: str
    view: str

    @classmethod
    def from_page(cls, data: Any) -> "Kept":
        """Read it from what the page sent: anyone can have. Raises ValueError."""
        sent = data if isinstance(data, Mapping) else {}
        stood = text("text", sent.get("text"), LONGEST_TEXT)
        if sent.get("state") not in STATES:
            raise ValueError(f"there is no such state of a text: give {', '.join(STATES)}")
        return cls(
            Manner.from_page(sent),
            Choice.from_page(sent),
            stood,
            whole("prompt", sent.get("prompt"), 0, len(stood)),
            SEEDS.require("seed", sent.get("seed")),
            whole("span", sent.get("span"), 0, LONGEST_RUN),
            whole("limit", sent.get("limit"), 0, LONGEST_TEXT + LONGEST_RUN),
            edits_of(sent.get("edits")),
            writers_of(sent.get("writers")),
            str(sent["state"]),
            view_of(sent),
        )

    def draft(self) -> Draft:
        """The text, to be written on."""
        draft = Draft.of(0, self.text, Dice(self.seed), self.span, self.edits)
        draft.prompt_length, draft.limit, draft.writers = self.prompt, self.limit, self.writers
        return draft

    def notice(self) -> dict[str, str]:
        """What the visitor is told."""
        more = " Resume writes on." if self.state == "paused" else ""
        return notice(f"The connection is back and the page has opened anew, text and settings as they were.{more}")
