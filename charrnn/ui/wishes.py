"""What a page or a client asks for. Anything could have sent it: each check names the value and the limits."""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from charrnn.checkpoint import LONGEST_NAME
from charrnn.ranges import Range
from charrnn.sampling import LIMITS, SamplingSettings

LONGEST_PROMPT = 1000
LONGEST_PASSAGE = 5000  # to be read, of a link
LONGEST_TEXT = 24_000  # that a page holds
MOST_EDITS = 500
LONGEST_RUN = 3000
SPEEDS = Range(1, 1000, zero="as fast as it goes")  # characters a second
OF_SAMPLING = LIMITS | {"temperature": replace(LIMITS["temperature"], high=2)}
LARGEST_EXACT = 2**53 - 1  # whole number that a page can send


def number(name: str, value: Any, low: float, high: float) -> float:
    """The value, where it is a number within the limits. Raises ValueError."""
    return Range(low, high).require(name, value)


def whole(name: str, value: Any, low: int, high: int) -> int:
    """The value, where it is a whole number within the limits; 7.0 is one, JSON knows no other. Raises ValueError."""
    return Range(low, high, whole=True).require(name, value)


def text(name: str, value: Any, longest: int) -> str:
    """The value, where it is a text that is not too long. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{name} is {reprlib.repr(value)}: give a text")
    if len(value) > longest:
        raise ValueError(f"the length of the {name} is {len(value)}: give at most {longest} characters")
    return value


def sampling(temperature: Any, top_k: Any, top_p: Any, min_p: Any) -> SamplingSettings:
    """The sampling settings. Raises ValueError."""
    given = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    return SamplingSettings(**{name: OF_SAMPLING[name].require(name, value) for name, value in given.items()})


# ------------------------------------------------------------------ what the left column says at the moment of an event


def count_of(name: str, data: Any) -> int:
    """What the page has counted under this name; 0 where it has not."""
    count = data.get(name) if isinstance(data, Mapping) else None
    return count if type(count) is int and 0 <= count <= LARGEST_EXACT else 0


@dataclass(frozen=True)
class Manner:
    """How to write from now on."""

    settings: SamplingSettings
    speed: float  # characters/s; 0 is as fast as it goes


@dataclass(frozen=True)
class Choice:
    """A checkpoint and a step of its training; None for the first on offer, and its last."""

    name: str | None
    step: int | None

    @classmethod
    def from_page(cls, data: Any) -> "Choice":
        """Read it from what the page sent. Raises ValueError."""
        sent = data.get("checkpoint") if isinstance(data, Mapping) else None
        if sent is None:
            return cls(None, None)
        if not isinstance(sent, Mapping):
            raise ValueError(f"checkpoint is {reprlib.repr(sent)}: give its name and its step")
        return cls(
            text("checkpoint", sent.get("name"), LONGEST_NAME), whole("step", sent.get("step"), 0, LARGEST_EXACT)
        )


def edits_of(value: Any) -> dict[int, str]:
    """The characters chosen in place of drawn ones, by position from the first written one. Raises ValueError."""
    if value is None:
        return {}
    if not isinstance(value, list) or len(value) > MOST_EDITS:
        raise ValueError(f"edits is {reprlib.repr(value)}: give a list of at most {MOST_EDITS}")
    edits = {}
    for edit in value:
        if not isinstance(edit, list) or len(edit) != 2:
            raise ValueError(f"an edit is {reprlib.repr(edit)}: give a position and a character")
        edits[whole("position", edit[0], 0, LONGEST_RUN - 1)] = character_of(edit[1])
    return edits


def character_of(value: Any) -> str:
    """The value, where it is one character. Raises ValueError."""
    if not isinstance(value, str) or len(value) != 1:
        raise ValueError(f"character is {reprlib.repr(value)}: give one character")
    return value


@dataclass(frozen=True)
class Wishes:
    """A new text."""

    manner: Manner
    choice: Choice
    prompt: str
    seed: int
    characters: int
    edits: Mapping[int, str] = field(default_factory=dict)
