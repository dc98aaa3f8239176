"""Times the sections of a training step on the server, next to the bundled record."""

import time
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Any

from charrnn.profiling import PARTS, iter_rows, machine
from charrnn.training import Recipe
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import ViewQuery

NETWORKS = ("plain loop", "torch.nn.RNN", "charrnn rnn", "MiniGPT")
RECIPE = Recipe(batch=64, seq_len=64, hidden_dim=256)  # half the record's window: a few seconds in all
ROUNDS, SECONDS = 4, 12.0
SILENCE = 20.0  # seconds after which an owner has lost the lock
BUSY = "Somebody else is measuring on this machine right now: try again in a few seconds."


class TimingLock:
    """A lock that allows one timing in this process at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._owner: object | None = None
        self._is_wanted: Callable[[], bool] = lambda: False  # whether the owner's timing is still needed
        self._seen = 0.0

    def take(self, owner: object, is_current: Callable[[], bool]) -> bool:
        """
        Take or renew the lock; False if another owner has it.

        A stopped timing releases it at once: its last step overlaps with the warm-up of the next timing.
        """
        with self._lock:
            now = time.monotonic()
            if self._owner not in (None, owner) and self._is_wanted() and now - self._seen < SILENCE:
                return False
            self._owner, self._is_wanted, self._seen = owner, is_current, now
            return True

    def end(self, owner: object) -> None:
        with self._lock:
            if self._owner is owner:
                self._owner = None


def timing(
    lock: TimingLock,
    query: ViewQuery,
    is_current: Callable[[], bool],
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
        lock.end(owner)


def record_of(rows: list[dict[str, Any]], recipe: Recipe) -> dict[str, Any]:
    """Return the timing as `scripts/bench.py profile` records it."""
    sizes = {"batch": recipe.batch, "seq_len": recipe.seq_len, "hidden_dim": recipe.hidden_dim}
    return {**sizes, "machine": machine(), "parts": list(PARTS), "rows": rows}


def describe_machine(record: Mapping[str, Any]) -> str:
    """Format processor, threads and torch version of a record."""
    found = record["machine"]
    threads = "1 thread" if found["threads"] == 1 else f"{found['threads']} threads"
    return f"{found['processor']}, {threads}, torch {found['torch']}"


def describe_sizes(record: Mapping[str, Any]) -> str:
    """Format batch size, window and units of a record."""
    return "batch {batch}, {seq_len} characters, {hidden_dim} units".format(**record)


def _shown(query: ViewQuery, part: int, record: dict[str, Any], recorded: Mapping[str, Any] | None) -> str:
    from charrnn.figures import describe_profile, profile_figure

    where = f"Measured just now on {describe_machine(record)}, {describe_sizes(record)}"
    words = f"{describe_profile(record)} {where}."
    table = against_record(record, recorded).to_json()
    return message(query.number, words, part, profile_figure(record, query.width), table=table)


def against_record(record: Mapping[str, Any], recorded: Mapping[str, Any] | None) -> Table:
    """Compare with the bundled record per character, since windows differ in length."""
    before = {row["name"]: row for row in recorded["rows"]} if recorded else {}

    def microseconds(row: Mapping[str, Any] | None, of: Mapping[str, Any] | None) -> float | None:
        if row is None or of is None or not {"batch", "seq_len"} <= of.keys():
            return None
        return 1000 * row["median_ms"] / (of["batch"] * of["seq_len"])

    def share(row: Mapping[str, Any] | None) -> float | None:
        return row["loop_share"] if row and row.get("loop_share") is not None else None

    body = [
        [
            Cell(row["name"]),
            number(row["median_ms"], "{:.1f}"),
            number(microseconds(row, record), "{:.2f}"),
            number(microseconds(before.get(row["name"]), recorded), "{:.2f}"),
            number(share(row), "{:.0%}"),
            number(share(before.get(row["name"])), "{:.0%}"),
        ]
        for row in record["rows"]
    ]
    titles = ["network", "ms a step here", "µs a character here", "in the record", "loop over T here", "in the record"]
    return Table("Here and in the record, whose windows are longer", titles, body)
