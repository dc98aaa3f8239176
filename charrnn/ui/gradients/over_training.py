"""Gradients over training: curves of all saved steps, and the effect of clipping."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from charrnn.checkpoint import CheckpointError, CheckpointInfo
from charrnn.gradient_flow import GradientFlow
from charrnn.paths import STUDY
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS, gradient_of
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.source_text import given_text
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery

THRESHOLD = 5.0  # of the gradient norm, as in the lab sheet
TITLES = ("training step", "½ after", "1 % after", "loss, nats")


def saved_steps(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream the results, one saved step at a time. Raises ValueError."""
    from charrnn import figures  # plotly is slow to import: only when needed

    loaded = store.load(query.choice.name, query.choice.step)
    info, given = loaded.info, given_text(query, MAX_ANALYSIS_CHARS)
    if len(info.saved_steps) < 2:
        titles = [LoadedModel.title_of(other) for other in store.checkpoints() if len(other.saved_steps) > 1]
        others = f": choose {', '.join(titles)}" if titles else ""
        raise ValueError(f"only the final network of {loaded.title} was saved{others}")
    flows: dict[int, GradientFlow] = {}
    steps_at: dict[str, list[str]] = {}  # steps by the places at which they are measured
    skipped = list[str]()

    def encode(part: int, busy: str = "") -> str:
        if not flows:
            return message(query.number, " ".join([*skipped, busy]), part, busy=bool(busy))
        color = figures.strokes([other.name for other in store.checkpoints()])[info.name].color
        steps = {
            places: f" (step {', '.join(steps)})" if len(steps_at) > 1 else "" for places, steps in steps_at.items()
        }
        measured = f"Measured at {', '.join(places + where for places, where in steps.items())}."
        words = " ".join(filter(None, [figures.describe_steps(loaded.title, flows), measured, *skipped, busy]))
        figure, table = figures.steps_figure(flows, color, query.width), _table(info, flows).to_json()
        return message(query.number, words, part, figure, busy=bool(busy), table=table)

    for part, step in enumerate(info.saved_steps):
        yield encode(part, f"Measuring step {step} …")
        with store.exclusive(saved_steps, is_current):
            try:
                flows[step], source = gradient_of(store, store.load(info.name, step), given)
                steps_at.setdefault(f"{flows[step].positions:,} places in {source}", []).append(str(step))
            except CheckpointError as error:  # the other steps may be valid
                skipped.append(f"Step {step} is left out: {error}.")
    yield encode(len(info.saved_steps))


def _table(info: CheckpointInfo, flows: Mapping[int, GradientFlow]) -> Table:
    losses = {point.step: point.val_loss_nats for point in info.history}
    rows = [
        [
            number(step, "{}"),
            Cell(flow.describe_half_life(), flow.half_life_chars),
            Cell(flow.describe_horizon(), flow.horizon_chars),
            number(losses.get(step)),
        ]
        for step, flow in flows.items()
    ]
    caption = "In characters, with 95 % intervals; the loss is that of validation"
    return Table(caption, TITLES, rows, sortable=False)


def clipping(query: ViewQuery, study: Path = STUDY) -> Iterator[str]:
    """Show the gradient norms of the study's runs. Raises ValueError without any."""
    from charrnn import figures

    runs = norm_runs(study)
    figure = figures.grad_norms_figure(runs, THRESHOLD, query.width)
    rows = [[Cell(run.name), number(max(run.norms), "{:.2f}"), number(run.norms[-1], "{:.2f}")] for run in runs]
    table = Table(
        "Norm of the gradient before clipping", ("run", "largest norm", "norm at the end"), rows, sortable=False
    )
    words = figures.describe_grad_norms(runs, THRESHOLD)
    yield message(query.number, words, figure=figure, table=table.to_json())


def norm_runs(study: Path) -> list[Any]:
    """Load runs of one seed with and without clipping. Raises ValueError."""
    from charrnn import figures

    try:
        record = json.loads(study.read_text(encoding="utf-8"))
        relu = [row for row in record["relu"]["rows"] if row["activation"] == "relu" and not row["max_grad_norm"]]
        rows = [*record["clipping"]["rows"], *relu]
        seed = min(row["seed"] for row in rows)
        return [
            figures.NormRun(
                f"{row.get('activation', 'tanh')}, learning rate {row['learning_rate']:g}",
                row["curve"]["grad_norm_max"],
                row["curve"]["every"],
                row["max_grad_norm"] > 0,
            )
            for row in rows
            if row["seed"] == seed
        ]
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError("no runs found: run python scripts/study.py clipping") from None
