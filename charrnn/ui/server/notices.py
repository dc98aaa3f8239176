"""Notices of the page, and arrays on their way to it."""

import base64
from collections.abc import Sequence

import numpy as np


def packed(array: np.ndarray) -> str:
    """The array's bytes, little-endian, as base64."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def notice(text: str, problem: bool = False) -> dict[str, str]:
    """A line over the text: something to know, or something that went wrong."""
    return {"kind": "problem" if problem else "note", "text": text}


def dropped_notice(dropped: Sequence[tuple[int, str]]) -> dict[str, str] | None:
    """What to say about characters the model does not know and that were left out, as (position, character)."""
    if not dropped:
        return None
    named = ", ".join(f"{character!r} at position {position}" for position, character in dropped[:5])
    more = f" and {len(dropped) - 5} more" if len(dropped) > 5 else ""
    what = "1 character" if len(dropped) == 1 else f"{len(dropped)} characters"
    return notice(f"Left out {what} this model has never seen: {named}{more}.")
