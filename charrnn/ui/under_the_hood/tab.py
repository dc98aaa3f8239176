"""The tab Under the hood: source trace, self-checks, time of a training step."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from charrnn.paths import BUNDLED
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.static_files import read, view
from charrnn.ui.server.streaming import add_part, answer, register_stream
from charrnn.ui.server.view_query import ViewQuery
from charrnn.ui.under_the_hood.self_checks import Measurements, panel
from charrnn.ui.under_the_hood.source_trace import States, cell_lines
from charrnn.ui.under_the_hood.step_timing import Turn, timing

RECORD = BUNDLED / "docs" / "bench_profile.json"  # part of the repository
HOW = "python scripts/bench.py profile --json > docs/bench_profile.json"


def build(store: Store, record: Path = RECORD) -> None:
    """Lay out the tab."""
    states = States()
    add_part(
        "cr-cell-source", "under_the_hood/source_trace", lambda question, wanted: cell_lines(store, states, question)
    )
    measurements = Measurements()
    add_part("cr-trust", "under_the_hood/self_checks", lambda question, wanted: panel(store, measurements, question))
    with gr.Column(elem_classes="cr-part"):
        gr.HTML(read("under_the_hood/step_profile.html"), apply_default_css=False)
        register_stream(view("components/plot/plot", "cr-view"), lambda question, wanted: profile(question, record))
    turn = Turn()
    add_part(
        "cr-time-it",
        "under_the_hood/step_timing",
        lambda question, wanted: timing(turn, question, wanted, known(record)),
    )
    with gr.Column(elem_classes="cr-part"):
        gr.HTML(read("under_the_hood/window_length.html"), apply_default_css=False)
        register_stream(
            view("components/plot/plot", "cr-view"), lambda question, wanted: against_length(question, record)
        )


def profile(question: ViewQuery, path: Path) -> Iterator[str]:
    """Show the time per section of a step by the bundled record. Raises ValueError."""
    from charrnn.figures import describe_profile, profile_figure

    record = read_record(path)
    yield _shown(question, record, profile_figure, describe_profile(record), _parts(record))


def against_length(question: ViewQuery, path: Path) -> Iterator[str]:
    """Show the time of a step by window length. Raises ValueError."""
    from charrnn.figures import describe_step_cost, step_cost_figure

    record = read_record(path)
    yield _shown(question, record, step_cost_figure, describe_step_cost(record), _times(record))


def known(path: Path) -> dict[str, Any] | None:
    """Load the bundled record; None if absent or invalid."""
    try:
        return read_record(path)
    except ValueError:
        return None


def read_record(path: Path) -> dict[str, Any]:
    """Load the record of `scripts/bench.py profile`. Raises ValueError if absent."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"Nobody has measured this yet: {HOW}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read ({error}): make it anew with {HOW}") from None
    if not isinstance(record, dict) or not {"machine", "parts", "rows", "against_T"} <= record.keys():
        raise ValueError(f"{path.name} is no record of a profile: make it anew with {HOW}")
    return record


def machine(record: dict[str, Any]) -> str:
    """Describe the machine of a record."""
    told = record["machine"]
    if not isinstance(told, dict):
        return f"Measured on {told}."
    threads = "1 thread" if told["threads"] == 1 else f"{told['threads']} threads"
    sizes = "batch {batch}, {seq_len} characters, {hidden_dim} units".format(**record) if "batch" in record else ""
    where = f"{told['processor']}, {threads}, torch {told['torch']}"
    return f"Measured on {where}{', ' + sizes if sizes else ''}: {HOW}."


def _shown(question: ViewQuery, record: dict[str, Any], figure: Callable[..., Any], words: str, table: Table) -> str:
    drawn = figure(record, question.width)
    return answer(question.number, f"{words} {machine(record)}", figure=drawn, table=table.told())


def _parts(record: dict[str, Any]) -> Table:
    body = [
        [
            Cell(row["name"]),
            number(row["median_ms"], "{:.1f}"),
            *(number(row["parts"].get(p), "{:.1f}") for p in record["parts"]),
        ]
        for row in record["rows"]
    ]
    return Table("The same in milliseconds", ["network", "whole step", *record["parts"]], body)


def _times(record: dict[str, Any]) -> Table:
    lengths = sorted({T for line in record["against_T"] for T in line["seq_len"]})
    times = [dict(zip(line["seq_len"], line["median_ms"], strict=True)) for line in record["against_T"]]
    body = [
        [Cell(line["name"]), *(number(ms.get(T), "{:.1f}") for T in lengths)]
        for line, ms in zip(record["against_T"], times, strict=True)
    ]
    return Table("The same in milliseconds", ["network", *(f"T = {T}" for T in lengths)], body)
