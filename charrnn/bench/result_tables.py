"""Rows of the benchmarks' tables, printed by bench.py and in docs/performance.md."""

from collections.abc import Mapping, Sequence
from typing import Any

OURS = "charrnn"
LOAD_HEADS = ["pages", "5th percentile, % of their speed", "slowest, %", "goal, %", "times told to wait"]
ENGINE_HEADS = ["network", "filters", "texts", "equal", "difference"]
ENGINE_HEADS += ["Python, characters/s", "engine, characters/s", "engine / Python"]

# Column head and format of each figure.
UNITS = {
    "median_ms": ("median ms", "{:.1f}"),
    "fastest_ms": ("fastest", "{:.1f}"),
    "ours_over_this": (f"{OURS} / this", "{:.2f}"),
    "this_over_ours": ("this / without", "{:.2f}"),
    "gflops": ("GFLOP/s", "{:.0f}"),
    "minutes_2000_steps": ("min for 2000 steps", "{:.1f}"),
    "chars_per_second": ("characters/s", "{:,.0f}"),
}


# Upper limit of each variant's ratio.
GOALS = {
    "train": {
        "plain loop": 0.18,
        "torch.nn.RNN": 0.45,
        "torch.nn.GRU": 0.65,
        "torch.nn.LSTM": 0.9,
        **{f"{OURS} {cell}, layer norm": 1.2 for cell in ("rnn", "gru", "lstm")},
    },
    "sample": {"plain loop": 0.33},
    "gradients": {"autograd, states retained": 1.0},
}


def shown(record: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """Format a table row: the name, then these figures; "" for None."""
    return [record["name"], *("" if record[key] is None else UNITS[key][1].format(record[key]) for key in keys)]


def load_rows(record: Mapping[str, Any]) -> list[list[str]]:
    """Format the rows of many pages at once under LOAD_HEADS."""
    of_speed = ("p5_percent", "slowest_percent")
    return [
        [str(row["pages"]), *(f"{row[name]:.1f}" for name in of_speed), f"≥ {row['goal']}", str(row["busy"])]
        for row in record["rows"]
    ]


def engine_rows(records: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Format the rows under ENGINE_HEADS."""
    return [_engine_row(record) for record in records]


def _engine_row(record: Mapping[str, Any]) -> list[str]:
    speeds = record["python_chars_per_s"], record["engine_chars_per_s"]
    counts = [str(record[key]) for key in ("name", "filters", "texts", "equal")]
    ratio = f"{speeds[1] / speeds[0]:.2f}"
    return [*counts, f"{record['difference']:.0e}", *(f"{speed:,.0f}" for speed in speeds), ratio]
