"""
What the server tells the page: written characters with what they left to see and the logits, as small JSON texts.

Pure functions of numpy arrays and strings. A message carries the characters from position `from` on; the page keeps
all of it, so that hovering and sliders cost no round trip. Columns are float16: three digits of any value, inside of
the scale that a start message brings for their colours or beyond it. Logits are float32.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LARGEST_HALF = 65504
MOST_MESSAGES = 20  # a second and visitor: a message costs the server more than its characters do
FEWEST_MESSAGES = 5
HOUSE_MESSAGES = 400  # a second over all visitors, half of what one core can send
FASTEST = 1200  # characters a second for "as fast as it goes"
HOUSE_CHARACTERS = 4000  # a second over all who write like that


@dataclass(frozen=True)
class Columns:
    """What reading some characters left behind: one row for each."""

    text: str
    values: np.ndarray  # (n, rows) float32, what the heatmap shows
    logits: np.ndarray  # (n, V) float32, of the character after each
    draws: Sequence[float | None]  # n: the uniform of the character after each; None where that is given, not drawn

    def and_then(self, other: "Columns") -> "Columns":
        """These characters, and others right after them."""
        values, logits = np.concatenate([self.values, other.values]), np.concatenate([self.logits, other.logits])
        return Columns(self.text + other.text, values, logits, [*self.draws, *other.draws])


def halves(values: np.ndarray) -> np.ndarray:
    """Values in half precision, little-endian; what is too large for it is clipped."""
    return np.clip(values, -LARGEST_HALF, LARGEST_HALF).astype("<f2")


def packed(array: np.ndarray) -> str:
    """The array's bytes, little-endian, as base64."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def columns_part(start: int, columns: Columns) -> dict[str, Any]:
    """The part of a message that carries characters, the first at position `start`."""
    return {
        "from": start,
        "text": columns.text,
        "columns": packed(halves(columns.values)),
        "logits": packed(columns.logits.astype("<f4")),
        "draws": list(columns.draws),
    }


def message(kind: str, serial: int, run: int, **parts: Any) -> str:
    """
    One message. kind: start (forget what you have), more (append), state (only buttons or a notice).

    The serial number makes each message differ from the one before, or the page would not notice it.
    """
    text = json.dumps({"kind": kind, "serial": serial, "run": run, **parts}, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # the same JSON, and never mistaken for markup on its way


def notice(text: str, problem: bool = False) -> dict[str, str]:
    """A line over the text: something to know, or something that went wrong."""
    return {"kind": "problem" if problem else "note", "text": text}


def joined(first: dict[str, str] | None, second: dict[str, str] | None) -> dict[str, str] | None:
    """Both lines as one; a problem where one of them is."""
    if first is None or second is None:
        return first or second
    is_problem = "problem" in (first["kind"], second["kind"])
    return notice(f"{first['text']} {second['text']}", is_problem)


def dropped_notice(dropped: Sequence[tuple[int, str]]) -> dict[str, str] | None:
    """What to say about characters the model does not know and that were left out, as (position, character)."""
    if not dropped:
        return None
    named = ", ".join(f"{character!r} at position {position}" for position, character in dropped[:5])
    more = f" and {len(dropped) - 5} more" if len(dropped) > 5 else ""
    what = "1 character" if len(dropped) == 1 else f"{len(dropped)} characters"
    return notice(f"Left out {what} this model has never seen: {named}{more}.")


def full_speed(hurrying: int) -> float:
    """Characters a second for each of so many who write as fast as it goes."""
    return min(FASTEST, HOUSE_CHARACTERS / max(1, hurrying))


def messages_per_second(writers: int) -> float:
    """How often one visitor is told, when so many write at once: 20 times a second, less as the house fills."""
    return float(min(MOST_MESSAGES, max(FEWEST_MESSAGES, HOUSE_MESSAGES / max(1, writers))))


def characters_per_message(speed: float, writers: int) -> int:
    """How many characters go into one message at this speed in characters/s."""
    return max(1, round(speed / messages_per_second(writers)))


def message_seconds(speed: float, writers: int) -> float:
    """The time from one message to the next at this speed."""
    return characters_per_message(speed, writers) / speed
