"""A text that is shown or measured, together with where it comes from: given, written by networks, or of a corpus."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, Field

from charrnn.checkpoint import CheckpointInfo
from charrnn.ranges import Range
from charrnn.sampling import SamplingSettings
from charrnn.ui.server.loaded_model import Reader
from charrnn.ui.server.validation import LONGEST_TEXT, Name, Sampling, Step, checked, within
from charrnn.ui.server.view_query import Question

GIVEN = "the text you typed or pasted"
MOST_NAMED = 3  # writers, in one line


@dataclass(frozen=True)
class Writer:
    """A network that wrote characters, after a step of its training, and how it drew them."""

    title: str
    sha256: str
    step: int
    settings: SamplingSettings | None = None  # None where that was not recorded

    def __str__(self) -> str:
        words = f"{self.title}, step {self.step:,}"
        if self.settings is None:
            return words
        filters = {"top-k": self.settings.top_k, "top-p": self.settings.top_p % 1, "min-p": self.settings.min_p}
        more = "".join(f", {name} {value:g}" for name, value in filters.items() if value)
        return f"{words}, temperature {self.settings.temperature:g}{more}"


class WriterSent(BaseModel):
    """A network that wrote characters, as the page sends it."""

    title: Name
    sha256: Annotated[str, Field(max_length=64)]
    step: Step
    settings: Sampling


class Part(BaseModel):
    """Characters of a text in a row, all given or all by one writer; `chosen` of them by hand."""

    characters: Annotated[int, within(Range(0, LONGEST_TEXT, whole=True))]
    chosen: Any = 0
    writer: WriterSent | None = None


class Origin(BaseModel):
    """The parts of a text, from its beginning."""

    origin: Annotated[list[Part], Field(max_length=LONGEST_TEXT)]


@dataclass(frozen=True)
class SourceText:
    """
    A text, and its origin as a sentence names it: "… characters of {origin}".

    writers: the networks that wrote any of it; excerpt: whether it is only the beginning of what `origin` names.
    """

    text: str
    origin: str = GIVEN
    writers: tuple[Writer, ...] = ()
    excerpt: bool = False

    @classmethod
    def passage_of(cls, info: CheckpointInfo, text: str) -> "SourceText":
        """The passage kept beside a checkpoint: written when its training ended; the settings are not recorded."""
        writer = Writer(Reader.title_of(info), info.sha256, info.step)
        return cls(text, f"a passage written by {writer}", (writer,))

    @classmethod
    def of_write(cls, text: str, parts: Any) -> "SourceText":
        """A text of the tab Write; parts, as the page sends them: who wrote how many characters. Raises ValueError."""
        given, chosen, written = 0, 0, dict[Writer, int]()
        for part in checked(Origin, {"origin": parts}).origin:
            chosen += Range(0, part.characters, whole=True).require("chosen characters", part.chosen)
            if part.writer is None:
                given += part.characters
            else:
                sent = part.writer
                writer = Writer(sent.title, sent.sha256, sent.step, sent.settings.settings)
                written[writer] = written.get(writer, 0) + part.characters
        told = [f"{given:,} given"] if given else []
        told += [f"{count:,} written by {writer}" for writer, count in [*written.items()][:MOST_NAMED]]
        told += [f"{sum([*written.values()][MOST_NAMED:]):,} by others"] if len(written) > MOST_NAMED else []
        told += [f"{chosen:,} of them chosen by hand"] if chosen else []
        return cls(text, f"the text of Write ({'; '.join(told)})", tuple(written)) if written else cls(text)

    def is_by(self, reader: Reader) -> bool:
        """Whether this network, at this step of its training, wrote any of it."""
        identity = reader.info.sha256, reader.checkpoint.step
        return any((writer.sha256, writer.step) == identity for writer in self.writers)

    def with_text(self, text: str) -> "SourceText":
        """The same without some of its characters."""
        return replace(self, text=text)

    def first(self, longest: int) -> "SourceText":
        """At most so many characters of its beginning."""
        return self if len(self.text) <= longest else replace(self, text=self.text[:longest], excerpt=True)

    def __str__(self) -> str:
        """Its origin, and how much of that it is."""
        return f"{self.origin} (its first {len(self.text):,} characters)" if self.excerpt else self.origin


def given_text(question: Question, longest: int) -> SourceText | None:
    """The text in the form of a view, with its origin; None where it asks for the default one. Raises ValueError."""
    text, parts = question.text("text", longest), question.form.get("origin")
    if not text.strip():
        return None
    return SourceText(text) if parts is None else SourceText.of_write(text, parts)
