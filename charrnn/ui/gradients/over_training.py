"""Gradients over training: curves of all saved steps, and the effect of clipping."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from charrnn.checkpoint import CheckpointError
from charrnn.gradient_flow import GradientFlow
from charrnn.paths import STUDY
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS, measured
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import add_part, answer
from charrnn.ui.server.view_query import ViewQuery, Wanted

THRESHOLD = 5.0  # as in the lab sheet
TITLES = ("training step", "half-life", "1 % left at", "loss, nats")


def build(store: Store, study: Path = STUDY) -> None:
    """Lay out both figures and register their analyses."""
    add_part("cr-over-training", "components/plot/plot", partial(saved_steps, store), "gradients/over_training")
    add_part(
        "cr-clipping", "components/plot/plot", lambda question, wanted: clipping(question, study), "gradients/clipping"
    )


# ------------------------------------------------------------------------------------------------ every saved step


def saved_steps(store: Store, question: ViewQuery, wanted: Wanted) -> Iterator[str]:
    """Stream the results, one saved step at a time. Raises ValueError."""
    reader = store.load(question.choice.name, question.choice.step)
    info, given = reader.info, given_text(question, MAX_ANALYSIS_CHARS)
    if len(info.saved_steps) < 2:
        kept = [LoadedModel.title_of(one) for one in store.checkpoints() if len(one.saved_steps) > 1]
        others = f": choose {', '.join(kept)}" if kept else ""
        raise ValueError(f"of the training of {reader.title} only the end is kept{others}")
    flows: dict[int, GradientFlow] = {}
    source, refused = None, ""
    for part, step in enumerate(info.saved_steps):
        yield _told(store, question, flows, source, part, f"Measuring step {step} …", refused)
        with store.turn(saved_steps, wanted):
            try:
                flows[step], source = measured(store, store.load(info.name, step), given)
            except CheckpointError as error:  # the other steps may be valid
                refused += f"Step {step} is left out: {error}. "
    yield _told(store, question, flows, source, len(info.saved_steps), refused=refused)


def _told(
    store: Store,
    question: ViewQuery,
    flows: dict[int, GradientFlow],
    source: SourceText | None,
    part: int,
    busy: str = "",
    refused: str = "",
) -> str:
    from charrnn import figures  # plotly is slow to import: only when needed

    if not flows:
        return answer(question.number, f"{refused}{busy}", part, busy=bool(busy))
    reader = store.load(question.choice.name, question.choice.step)
    colour = figures.strokes([info.name for info in store.checkpoints()])[reader.info.name].colour
    figure = figures.steps_figure(flows, colour, question.width)
    measured_at = f"Measured at {next(iter(flows.values())).positions} positions of {source}."
    said = " ".join(filter(None, [figures.describe_steps(reader.title, flows), measured_at, refused.rstrip(), busy]))
    losses = {point.step: point.val_loss_nats for point in reader.info.history}
    rows = [
        [
            number(step, "{}"),
            number(flow.half_life_chars, "{:.1f}", "never"),
            number(flow.horizon_chars, "{:.1f}", f"> {flow.lags[-1]}"),
            number(losses.get(step)),
        ]
        for step, flow in flows.items()
    ]
    table = Table("The same in numbers, in characters; the loss is that of validation", TITLES, rows, sortable=False)
    return answer(question.number, said, part, figure, busy=bool(busy), table=table.told())


# ------------------------------------------------------------------------------------------------ clipping


def clipping(question: ViewQuery, study: Path) -> Iterator[str]:
    """Show the gradient norms of the study's runs. Raises ValueError without any."""
    from charrnn import figures

    runs = norm_runs(study)
    figure = figures.grad_norms_figure(runs, THRESHOLD, question.width)
    rows = [
        [
            Cell(f"{run.title}, {'clipped' if run.clipped else 'not clipped'}"),
            number(max(run.norms), "{:.2f}"),
            number(run.norms[-1], "{:.2f}"),
        ]
        for run in runs
    ]
    table = Table("The same in numbers", ("run", "largest norm", "norm at the end"), rows, sortable=False)
    said = figures.describe_grad_norms(runs, THRESHOLD)
    yield answer(question.number, said, figure=figure, table=table.told())


def norm_runs(study: Path) -> list[Any]:
    """Return runs of one seed with and without clipping. Raises ValueError."""
    from charrnn import figures

    try:
        found = json.loads(study.read_text(encoding="utf-8"))
        relu = [row for row in found["relu"]["rows"] if row["activation"] == "relu" and not row["max_grad_norm"]]
        rows = [*found["clipping"]["rows"], *relu]
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
        raise ValueError("no runs are recorded here: scripts/study.py clipping makes them") from None
