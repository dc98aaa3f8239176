"""A text that is shown or measured, together with where it comes from: given, written by networks, or of a corpus."""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from charrnn.checkpoint import CheckpointInfo
from charrnn.sampling import SamplingSettings
from charrnn.ui import wishes
from charrnn.ui.questions import Question
from charrnn.ui.reader import Reader
from charrnn.ui.wishes import LARGEST_EXACT, LONGEST_NAME, LONGEST_TEXT

GIVEN = "the text you typed or pasted"
MOST_NAMED = 3  # writers, in one line


@dataclass(frozen=True)
class Writer:
    """A network that wrote characters, after a step of its training, and how it drew them."""

    title: str
    sha256: str
    step: int
    settings: SamplingSettings | None = None  # None where that was not recorded

    @classmethod
    def from_page(cls, sent: Any) -> "Writer":
        """Read it from what the page sent. Raises ValueError."""
        if not isinstance(sent, Mapping) or not isinstance(sent.get("settings"), Mapping):
            raise ValueError(f"a writer is {reprlib.repr(sent)}: give its title, sha256, step and settings")
        settings = [sent["settings"].get(name) for name in ("temperature", "top_k", "top_p", "min_p")]
        return cls(
            wishes.text("title of a writer", sent.get("title"), LONGEST_NAME),
            wishes.text("sha256 of a writer", sent.get("sha256"), 64),
            wishes.whole("step of a writer", sent.get("step"), 0, LARGEST_EXACT),
            wishes.sampling(*settings),
        )

    def __str__(self) -> str:
        words = f"{self.title}, step {self.step:,}"
        if self.settings is None:
            return words
        filters = {"top-k": self.settings.top_k, "top-p": self.settings.top_p % 1, "min-p": self.settings.min_p}
        more = "".join(f", {name} {value:g}" for name, value in filters.items() if value)
        return f"{words}, temperature {self.settings.temperature:g}{more}"


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
        if not isinstance(parts, Sequence) or isinstance(parts, str) or len(parts) > LONGEST_TEXT:
            raise ValueError(f"origin is {reprlib.repr(parts)}: give a list of parts of the text")
        given, chosen, written = 0, 0, dict[Writer, int]()
        for part in parts:
            sent = part if isinstance(part, Mapping) else {}
            characters = wishes.whole("characters of a part", sent.get("characters"), 0, LONGEST_TEXT)
            chosen += wishes.whole("chosen characters of a part", sent.get("chosen", 0), 0, characters)
            if sent.get("writer") is None:
                given += characters
            else:
                writer = Writer.from_page(sent["writer"])
                written[writer] = written.get(writer, 0) + characters
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
