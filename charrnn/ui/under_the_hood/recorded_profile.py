"""Under the hood, recorded profile: time of a step by section and window length."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from charrnn.paths import BUNDLED
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import ViewQuery
from charrnn.ui.under_the_hood.live_timing import describe_machine, describe_sizes

RECORD = BUNDLED / "docs" / "bench_profile.json"  # part of the repository
COMMAND = "python scripts/bench.py profile --json > docs/bench_profile.json"
KEYS = {"machine", "batch", "seq_len", "hidden_dim", "parts", "rows", "against_T"}


def profile(query: ViewQuery, path: Path) -> Iterator[str]:
    """Show the time of each section of a step. Raises ValueError."""
    from charrnn.figures import describe_profile, profile_figure

    record = read_record(path)
    yield _shown(query, record, profile_figure, describe_profile(record), _parts(record))


def against_length(query: ViewQuery, path: Path) -> Iterator[str]:
    """Show the time of a step by window length. Raises ValueError."""
    from charrnn.figures import describe_step_cost, step_cost_figure

    record = read_record(path)
    yield _shown(query, record, step_cost_figure, describe_step_cost(record), _times(record))


def find_record(path: Path) -> dict[str, Any] | None:
    """Load the record; None if it is absent or invalid."""
    try:
        return read_record(path)
    except ValueError:
        return None


def read_record(path: Path) -> dict[str, Any]:
    """Load the record of `scripts/bench.py profile`. Raises ValueError."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"No measurement yet. Run {COMMAND}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} is damaged ({error}). Recreate it with {COMMAND}") from None
    if not isinstance(record, dict) or not KEYS <= record.keys():
        raise ValueError(f"{path.name} is damaged. Recreate it with {COMMAND}")
    return record


def _shown(query: ViewQuery, record: dict[str, Any], figure: Callable[..., Any], words: str, table: Table) -> str:
    measured_on = f"Measured on {describe_machine(record)}, {describe_sizes(record)}: {COMMAND}."
    drawn = figure(record, query.width)
    return message(query.number, f"{words} {measured_on}", figure=drawn, table=table.to_json())


def _parts(record: dict[str, Any]) -> Table:
    body = [
        [
            Cell(row["name"]),
            number(row["median_ms"], "{:.1f}"),
            number(row["loop_share"], "{:.0%}"),
            *(number(row["parts"].get(p), "{:.1f}") for p in record["parts"]),
        ]
        for row in record["rows"]
    ]
    caption = (
        "Milliseconds of a step, medians. Parts are timed in other steps than the whole and do not add up to it; the "
        "share is of those steps"
    )
    return Table(caption, ["network", "whole step", "share of loops", *record["parts"]], body)


def _times(record: dict[str, Any]) -> Table:
    lengths = sorted({T for line in record["against_T"] for T in line["seq_len"]})
    times = [dict(zip(line["seq_len"], line["median_ms"], strict=True)) for line in record["against_T"]]
    body = [
        [Cell(line["name"]), *(number(ms.get(T), "{:.1f}") for T in lengths)]
        for line, ms in zip(record["against_T"], times, strict=True)
    ]
    return Table("Milliseconds of a step", ["network", *(f"T = {T}" for T in lengths)], body)
