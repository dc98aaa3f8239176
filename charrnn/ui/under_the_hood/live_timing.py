"""Under the hood, live timing: sections of a training step on this machine."""

import time
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from charrnn.profiling import PARTS, iter_rows, machine
from charrnn.training import Recipe
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery

NETWORKS = ("plain loop", "torch.nn.RNN", "charrnn rnn", "MiniGPT")
RECIPE = Recipe(batch=64, seq_len=64, hidden_dim=256)  # half the window of the record, to take a few seconds
ROUNDS, SECONDS = 4, 12.0
TIMEOUT_S = 20.0  # without a renewal, after which an owner loses the lock
BUSY = "Another measurement is running on this server: try again in a few seconds."


class TimingLock:
    """A lock that allows one timing in this process at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._owner: object | None = None
        self._is_current: IsCurrent = lambda: False  # of the owner
        self._renewed = 0.0

    def take(self, owner: object, is_current: IsCurrent) -> bool:
        """
        Take or renew the lock; False if another owner has it.

        A superseded owner loses it at once, so that its last step overlaps with the warm-up of the next timing.
        """
        with self._lock:
            now = time.monotonic()
            if self._owner not in (None, owner) and self._is_current() and now - self._renewed < TIMEOUT_S:
                return False
            self._owner, self._is_current, self._renewed = owner, is_current, now
            return True

    def release(self, owner: object) -> None:
        """Release the lock if this owner has it."""
        with self._lock:
            if self._owner is owner:
                self._owner = None


def timing(
    lock: TimingLock,
    query: ViewQuery,
    is_current: IsCurrent,
    recorded: Mapping[str, Any] | None,
    recipe: Recipe = RECIPE,
) -> Iterator[str]:
    """Stream the progress, then the figure. A newer query stops the timing."""
    if query.form.get("stop"):
        yield message(query.number, "Stopped.")
        return
    owner = object()
    if not lock.take(owner, is_current):
        yield message(query.number, BUSY)
        return
    try:
        yield message(query.number, "Getting ready …", busy=True, share=0.0)
        for part, (done, total, rows) in enumerate(iter_rows(recipe, NETWORKS, ROUNDS, SECONDS), start=1):
            if not (is_current() and lock.take(owner, is_current)):
                return
            if rows:
                yield _shown(query, part, record_of(rows, recipe), recorded)
            else:
                words = f"Measuring: {done} of {total} steps."
                yield message(query.number, words, part, busy=True, share=done / total)
    finally:
        lock.release(owner)


def record_of(rows: list[dict[str, Any]], recipe: Recipe) -> dict[str, Any]:
    """Return the timing in the form of `scripts/bench.py profile`."""
    sizes = {"batch": recipe.batch, "seq_len": recipe.seq_len, "hidden_dim": recipe.hidden_dim}
    return {**sizes, "machine": machine(), "parts": list(PARTS), "rows": rows}


def describe_machine(record: Mapping[str, Any]) -> str:
    """Format processor, threads and torch version of a record."""
    machine = record["machine"]
    threads = "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    return f"{machine['processor']}, {threads}, torch {machine['torch']}"


def describe_sizes(record: Mapping[str, Any]) -> str:
    """Format batch size, window and units of a record."""
    return "batch {batch}, {seq_len} characters, {hidden_dim} units".format(**record)


def _shown(query: ViewQuery, part: int, record: dict[str, Any], recorded: Mapping[str, Any] | None) -> str:
    from charrnn.figures import describe_profile, profile_figure

    measured_on = f"Measured just now on {describe_machine(record)}, {describe_sizes(record)}."
    table = against_record(record, recorded).to_json()
    words = f"{describe_profile(record)} {measured_on}"
    return message(query.number, words, part, profile_figure(record, query.width), table=table)


def against_record(record: Mapping[str, Any], recorded: Mapping[str, Any] | None) -> Table:
    """Compare with the bundled record per character, since windows differ in length."""
    recorded_rows = {row["name"]: row for row in recorded["rows"]} if recorded else {}

    def microseconds(row: Mapping[str, Any] | None, of: Mapping[str, Any] | None) -> float | None:
        return 1000 * row["median_ms"] / (of["batch"] * of["seq_len"]) if row and of else None

    body = [
        [
            Cell(row["name"]),
            number(row["median_ms"], "{:.1f}"),
            number(microseconds(row, record), "{:.2f}"),
            number(microseconds(recorded_rows.get(row["name"]), recorded), "{:.2f}"),
            number(row.get("loop_share"), "{:.0%}"),
            number(recorded_rows.get(row["name"], {}).get("loop_share"), "{:.0%}"),
        ]
        for row in record["rows"]
    ]
    titles = ["network", "ms per step here", "µs per character here", "reference", "loop over T here", "reference"]
    return Table("This server vs. our reference (longer windows)", titles, body)
