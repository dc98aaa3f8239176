"""Encodes arrays and notices for the page."""

import base64
from collections.abc import Sequence

import numpy as np

from charrnn.invisible_chars import quoted
from charrnn.number_format import counted


def packed(array: np.ndarray) -> str:
    """Encode an array as base64 of its little-endian bytes."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def notice(text: str, problem: bool = False) -> dict[str, str]:
    """Return a notice, shown above the text: information or an error."""
    return {"kind": "problem" if problem else "note", "text": text}


def error_sentence(error: Exception) -> str:
    """Return the message of an error as a sentence; a quantity like h keeps its letter."""
    text = f"{error}"
    first = text[:1] if text[1:2] == " " else text[:1].upper()
    return first + text[1:] + ("" if text.endswith(".") else ".")


def dropped_notice(dropped: Sequence[tuple[int, str]]) -> dict[str, str] | None:
    """Describe the dropped unknown characters, given as (position, character)."""
    if not dropped:
        return None
    different = list(dict.fromkeys(quoted(character) for _, character in dropped))
    named = ", ".join(different[:5]) + (", …" if len(different) > 5 else "")
    return notice(f"Skipped {counted(len(dropped))} the network does not know: {named}")
