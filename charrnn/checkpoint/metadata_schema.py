"""Schema of checkpoint metadata, which may come from an untrusted source."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from charrnn.metrics import MAX_NATS, MAX_STEPS, Metrics
from charrnn.ranges import Check, check_fields, number, of_type, whole
from charrnn.vocab import MAX_CHARACTERS, Vocab

MAX_NAME_CHARS = 255  # of a checkpoint, in characters; a folder's name is at most so many bytes
MAX_ENTRIES = 64  # of a recipe, of metrics, of a list of values in them
MAX_INTEGER = 2**63
MAX_MINUTES = 10**9
LOSSES = ("train_loss_nats", "val_stream_nats", "val_cold_nats", "initial_loss_nats")
UNNAMEABLE = {"Cc", "Cs", "Zl", "Zp"}  # categories of Unicode: control, surrogate, line and paragraph separator
DIRECTION_MARKS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # explicit directions
SCALARS = (str, bool, int, float, type(None))


def validate_metadata(metadata: Mapping[str, Any]) -> None:
    """Raise ValueError for invalid metadata, naming the entry."""
    check_fields({"versions": {}, **metadata}, ENTRIES)
    check_fields(dict.fromkeys(METRICS, 0) | {"sample": "", **metadata["metrics"]}, METRICS)
    check_fields({"steps": 0, **metadata["recipe"]}, {"steps": number(MAX_STEPS)})
    Vocab(metadata["vocab"])
    Metrics.curve(metadata["history"])


def require_name(name: str) -> None:
    """Raise ValueError for a folder name that cannot be displayed."""
    check_fields({"name": name}, {"name": NAME})


def _is_name(text: str) -> bool:
    """
    Return whether a checkpoint may have this name.

    Joiners (Persian, emoji) and spaces are allowed; line ends, terminal controls, text direction marks and lone
    surrogates are not.
    """
    return 1 <= len(text) <= MAX_NAME_CHARS and not any(
        unicodedata.category(c) in UNNAMEABLE or unicodedata.bidirectional(c) in DIRECTION_MARKS for c in text
    )


def _is_scalar(value: Any) -> bool:
    return isinstance(value, SCALARS) and (not isinstance(value, (int, float)) or abs(value) <= MAX_INTEGER)


def _is_flat(values: dict[str, Any]) -> bool:
    return len(values) <= MAX_ENTRIES and all(map(_is_scalar, values.values()))


def _is_nearly_flat(values: dict[str, Any]) -> bool:
    lists = [value if type(value) is list else [value] for value in values.values()]
    return max(map(len, [values, *lists])) <= MAX_ENTRIES and all(_is_scalar(part) for parts in lists for part in parts)


NAME = of_type(str, f"1 to {MAX_NAME_CHARS} characters that can be shown", _is_name)
ENTRIES: dict[str, Check] = {
    "name": NAME,
    "config": of_type(dict, "names with a value each"),
    "vocab": of_type(str, f"at most {MAX_CHARACTERS} characters", lambda text: len(text) <= MAX_CHARACTERS),
    "step": whole(MAX_STEPS),
    "seed": whole(),
    "recipe": of_type(dict, f"at most {MAX_ENTRIES} names with a value each, numbers up to 2^63", _is_flat),
    "metrics": of_type(dict, f"at most {MAX_ENTRIES} names and values of each, numbers up to 2^63", _is_nearly_flat),
    "history": of_type(list, "a list"),
    "data_sha256": of_type(str, "64 hexadecimal digits", re.compile("[0-9a-f]{64}").fullmatch),
    "versions": of_type(dict, "names with a text each", lambda texts: all(map(NAME[0], texts.values()))),
}
METRICS = dict.fromkeys(LOSSES, number(MAX_NATS)) | {"minutes": number(MAX_MINUTES), "sample": of_type(str, "a text")}
