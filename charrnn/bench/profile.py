"""
Time per part of a training step, and cost by window length.

    python scripts/bench.py profile            two tables
    python scripts/bench.py profile --json     the record that docs/bench_profile.json stores

Real, whole steps are timed; timers between their parts, forward and backward, assign every moment of a step to exactly
one part. The record:

    {"verb", "lengths", "batch", "seq_len", "hidden_dim", "rounds",    B, T, H of `rows`; MiniGPT has 128 units
     "machine": {"processor", "cores", "threads", "torch"},
     "parts": [part, …],                                       in the order of a step
     "rows": [{"name",
               "median_ms",                                    of whole steps without timers
               "loop_share",                                   of the two loops over T in all parts, 0..1: the median
               "loop_share_low", "loop_share_high",            its 95 % interval; absent for fewer than six rounds
               "parts": {part: ms}}, …],                       medians; without the parts that a network lacks
     "against_T": [{"name", "seq_len": [T, …], "batch": [B, …], "median_ms": [ms, …]}, …]}

Each point of `against_T` reads B · T characters, the same number: an increase with T is the cost of sequential steps.
"""

import argparse
from typing import Any

from charrnn.profiling import PARTS, rows, time_vs_length
from charrnn.text_tables import columns
from charrnn.training import Recipe

LENGTHS = (32, 64, 128, 256, 512)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the record, without its settings and the machine."""
    recipe = Recipe(batch=options.batch, seq_len=options.seq_len, hidden_dim=options.hidden_dim)
    return {
        "parts": list(PARTS),
        "rows": rows(recipe, options.rounds),
        "against_T": time_vs_length(recipe, tuple(options.lengths), options.rounds),
    }


def tables(record: dict[str, Any]) -> str:
    """Format the record as two text tables."""
    title = "ms, one step (batch {batch}, {seq_len} characters, {hidden_dim} units)".format(**record)
    where = [title, *(row["name"] for row in record["rows"])]
    body = []
    for part in record["parts"]:
        cells = [(row["parts"].get(part), sum(row["parts"].values())) for row in record["rows"]]
        body.append([part, *("" if ms is None else f"{ms:.1f} {ms / whole:4.0%}" for ms, whole in cells)])
    body.append(["whole step, without timers", *(f"{row['median_ms']:.1f}     " for row in record["rows"])])
    body.append(["the loop over T", *(f"{row['loop_share']:.0%}" for row in record["rows"])])
    first = record["against_T"][0]
    sizes = zip(first["seq_len"], first["batch"], strict=True)
    growing = ["ms, one step of the same characters", *(f"T {T}, batch {B}" for T, B in sizes)]
    lines = [[line["name"], *(f"{ms:.1f}" for ms in line["median_ms"])] for line in record["against_T"]]
    return f"{columns(where, body)}\n\n{columns(growing, lines)}"
