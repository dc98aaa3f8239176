"""The limits of share links as JSON for the static page (site/read_link.js)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from charrnn.checkpoint import MAX_NAME_CHARS
from charrnn.clamps import limits
from charrnn.ranges import Range
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.clamp_requests import MAX_CLAMPS
from charrnn.ui.server.request_parameters import MAX_PASSAGE_CHARS, MAX_PROMPT_CHARS
from charrnn.ui.server.share_link import (
    DEFAULTS,
    FORMS,
    HIDEABLE,
    MAX_LIST_CHARS,
    MAX_PROBLEMS,
    NUMBERS,
    POSITIONS,
    ROWS,
    TABS,
    LinkQuery,
)


def link_schema(store: Store, scenes: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """
    Return the parameters of a link with their limits, in order of validation.

    scenes: the parameters that each scene sets.
    """
    numbers = NUMBERS | {"scene": Range(1, len(scenes), whole=True)}
    kinds: dict[str, dict[str, Any]] = {
        **{name: {"kind": "number"} | _number(within) for name, within in numbers.items()},
        **{name: {"kind": "form", "pattern": form, "expected": give} for name, (form, give) in FORMS.items()},
        "model": {"kind": "model", "max": MAX_NAME_CHARS},
        "prompt": {"kind": "text", "max": MAX_PROMPT_CHARS},
        "read": {"kind": "text", "max": MAX_PASSAGE_CHARS},
        "tab": {"kind": "choice", "options": [*TABS]},
        "view": {"kind": "view"},
        "change": {"kind": "flag"},
        "rows": {"kind": "choice", "options": ROWS},
        "tick": {"kind": "list"},  # of the models
        "hide": {"kind": "list", "options": [*HIDEABLE]},
        "a": {"kind": "side"},
        "b": {"kind": "side"},
        "ab_prompt": {"kind": "text", "max": MAX_PROMPT_CHARS},
        "lecture": {"kind": "flag"},
    }
    kinds["edits"] |= {"max": MAX_LIST_CHARS, "positions": _number(POSITIONS)}
    kinds["clamp"]["max_clamps"] = MAX_CLAMPS
    return {
        "parameters": {name: kinds[name] for name in LinkQuery.model_fields},
        "defaults": DEFAULTS,
        "tabs": TABS,
        "hideable": HIDEABLE,
        "max_problems": MAX_PROBLEMS,
        "scenes": [dict(sets) for sets in scenes],
        "views": {info.name: _views(store, info.name) for info in store.checkpoints()},
    }


def _views(store: Store, model: str) -> dict[str, Any]:
    """Return the limits of units and clamps under each name."""
    return {
        name: {"units": _number(Range(0, units - 1, whole=True)), "values": _number(Range(*limits(name)))}
        for name, units in store.load(model).units.items()
    }


def _number(within: Range) -> dict[str, Any]:
    return asdict(within) | {"expected": f"give {within}"}
