"""What a checkpoint says of itself: entries of the right kind and within limits, since anyone may have written them."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from charrnn.metrics import MOST_NATS, MOST_STEPS, Progress
from charrnn.vocab import MOST_CHARACTERS, Vocab

LONGEST_NAME = 255  # of a checkpoint, in characters; a folder's name is at most so many bytes
MOST_ENTRIES = 64  # of a recipe, of metrics, of a list of values in them
LARGEST = 2**63
MOST_MINUTES = 10**9
LOSSES = ("train_loss_nats", "val_stream_nats", "val_cold_nats", "initial_loss_nats")
UNNAMEABLE = {"Cc", "Cs", "Zl", "Zp"}  # categories of Unicode: control, surrogate, line and paragraph separator
TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # explicit directions
SCALARS = (str, bool, int, float, type(None))


def require(metadata: Mapping[str, Any]) -> None:
    """Raises ValueError for what a checkpoint cannot say of itself, and names it."""
    for key in ENTRIES:
        _require_fit(key, metadata.get(key))
    Vocab(metadata["vocab"])
    for key in LOSSES:
        _require_number("metrics", metadata["metrics"], key, MOST_NATS)
    _require_number("metrics", metadata["metrics"], "minutes", MOST_MINUTES)
    _require_number("recipe", metadata["recipe"], "steps", MOST_STEPS)
    versions = metadata.get("versions", {})
    if not isinstance(versions, dict) or not all(
        isinstance(text, str) and _is_name(text) for text in versions.values()
    ):
        raise ValueError(f"the versions are {_short(versions)}: they must be names with a text each")
    if not isinstance(metadata["metrics"].get("sample", ""), str):
        raise ValueError("the sample in the metrics is no text")
    Progress.curve(metadata["history"])


def require_name(name: str) -> None:
    """Raises ValueError for a folder whose name cannot be shown."""
    _require_fit("name", name)


def _require_fit(key: str, value: Any) -> None:
    kind, fits, expected = ENTRIES[key]
    if type(value) is not kind:
        raise ValueError(f"the {key} is {_short(value)}: it must be of type {kind.__name__}")
    if not fits(value):
        raise ValueError(f"the {key} is {_short(value)}: it must be {expected}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _require_number(where: str, values: Mapping[str, Any], key: str, most: float) -> None:
    value = values.get(key, 0)
    if type(value) not in (int, float) or not 0 <= value <= most:
        raise ValueError(f"{key} in the {where} is {_short(value)}: it must be a number, 0 to {most:g}")


def _is_name(text: str) -> bool:
    """
    Whether a checkpoint may have this name.

    Joiners (Persian, emoji) and any kind of space may be in it; not so what ends a line, steers a terminal, turns the
    direction of the text around it, or is half a character.
    """
    return 1 <= len(text) <= LONGEST_NAME and not any(
        unicodedata.category(c) in UNNAMEABLE or unicodedata.bidirectional(c) in TURNS for c in text
    )


def _is_scalar(value: Any) -> bool:
    return isinstance(value, SCALARS) and (not isinstance(value, (int, float)) or abs(value) <= LARGEST)


def _is_flat(values: dict[str, Any]) -> bool:
    return len(values) <= MOST_ENTRIES and all(map(_is_scalar, values.values()))


def _is_nearly_flat(values: dict[str, Any]) -> bool:
    lists = [value if type(value) is list else [value] for value in values.values()]
    return max(map(len, [values, *lists])) <= MOST_ENTRIES and all(
        _is_scalar(part) for parts in lists for part in parts
    )


ENTRIES: dict[str, tuple[type, Callable[[Any], bool], str]] = {
    "name": (str, _is_name, f"1 to {LONGEST_NAME} characters that can be shown"),
    "config": (dict, lambda config: True, ""),
    "vocab": (str, lambda text: len(text) <= MOST_CHARACTERS, f"at most {MOST_CHARACTERS} characters"),
    "step": (int, lambda step: 0 <= step <= MOST_STEPS, f"0 to {MOST_STEPS}"),
    "seed": (int, lambda seed: seed >= 0, "0 or more"),
    "recipe": (dict, _is_flat, f"at most {MOST_ENTRIES} names with a value each, numbers up to 2^63"),
    "metrics": (
        dict,
        _is_nearly_flat,
        f"at most {MOST_ENTRIES} names with up to so many values each, numbers up to 2^63",
    ),
    "history": (list, lambda points: True, ""),
    "data_sha256": (str, lambda text: bool(re.fullmatch("[0-9a-f]{64}", text)), "64 hexadecimal digits"),
}
