"""Encodes arrays and notices for the page."""

import base64
from collections.abc import Sequence

import numpy as np


def packed(array: np.ndarray) -> str:
    """Encode an array as base64 of its little-endian bytes."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def notice(text: str, problem: bool = False) -> dict[str, str]:
    """Return a notice, shown above the text: information or an error."""
    return {"kind": "problem" if problem else "note", "text": text}


def dropped_notice(dropped: Sequence[tuple[int, str]]) -> dict[str, str] | None:
    """Describe the dropped unknown characters, given as (position, character)."""
    if not dropped:
        return None
    named = ", ".join(f"{character!r} at position {position}" for position, character in dropped[:5])
    more = f" and {len(dropped) - 5} more" if len(dropped) > 5 else ""
    count = "1 character" if len(dropped) == 1 else f"{len(dropped)} characters"
    return notice(f"Left out {count} this model has never seen: {named}{more}.")
