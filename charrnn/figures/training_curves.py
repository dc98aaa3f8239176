"""Training curves: loss and gradient norm by step."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import plotly.graph_objects as go

from charrnn.figures.axes import LETTER_WIDTH, LOG_TICKS, NARROW, CurveEnd, axis, escaped, frame, label_ends, padded
from charrnn.figures.palette import Stroke
from charrnn.figures.sentences import Sentence
from charrnn.metrics import Metrics, bits_per_char

HEIGHT = 560
MARGIN = {"l": 62, "t": 14, "b": 48}
LATE = 1.2  # `late` shows losses up to this multiple of the lowest one
LOSSES = {"train": "train_loss_nats", "validation": "val_loss_nats"}  # the last one is drawn thick
NORMS = "gradient norm"
PARTS = (*LOSSES, NORMS)  # selectable on the page
UNITS: dict[str, Callable[[float], float]] = {"nats": float, "bits": bits_per_char}
THIN, THICK = 1.2, 2.4
SPANS = ("late", "whole")


@dataclass(frozen=True)
class Run:
    """The history of a checkpoint, with title, line style and name."""

    title: str
    history: Sequence[Metrics]
    stroke: Stroke
    model: str = ""  # `meta` of its traces, `name` of its label


class Line(NamedTuple):
    """A curve of a run."""

    run: Run
    part: str
    values: list[float]


@dataclass(frozen=True)
class Panel:
    """Axis, size in pixels and range of one diagram."""

    axis: str
    width: float
    height: float
    steps: int
    limits: tuple[float, float]
    scale: Callable[[float], float]


def training_curves_figure(
    runs: Sequence[Run],
    width: int = 900,
    parts: Sequence[str] = PARTS,
    unit: str = "nats",
    span: str = "late",
) -> go.Figure:
    """
    Plot losses and gradient norms before clipping of some runs.

    Validation is drawn thick, training thin. parts: of PARTS; unit: of UNITS; span: `late` cuts off the first steps,
    where every loss falls from ln V, `whole` shows them too. width: pixels.
    """
    figure = go.Figure()
    runs = [run for run in runs if run.history]
    longest = max((len(run.title) for run in runs), default=0)
    right = 14 if width < NARROW else LETTER_WIDTH * (longest + 6) + 26
    inner, height = width - MARGIN["l"] - right, HEIGHT - MARGIN["t"] - MARGIN["b"]
    last_step = max((run.history[-1].step for run in runs), default=0) or 1
    losses, norms = [part for part in LOSSES if part in parts], NORMS in parts
    below = 0.0 if not norms else 1.0 if not losses else 0.34
    axes: dict[str, Any] = {}
    if losses:
        lines = [Line(run, part, _loss(run, part, unit)) for run in runs for part in losses]
        above = below + 0.08 if norms else 0.0
        panel = Panel("y", inner, height * (1 - above), last_step, _range(lines, span), float)
        axes["yaxis"] = axis(f"{unit} per character", range=list(panel.limits), domain=[above, 1])
        _draw(figure, lines, panel, width, "{:.3f}")
    if norms:
        lines = [Line(run, NORMS, [point.grad_norm for point in run.history]) for run in runs]
        panel = Panel("y2", inner, height * below, last_step, _decades(lines), math.log10)
        axes["yaxis2"] = axis(NORMS, range=list(panel.limits), domain=[0, below], anchor="x", **LOG_TICKS)
        _draw(figure, lines, panel, width, "")
    steps = axis("training step", range=[0, last_step], showgrid=False)
    steps |= {"anchor": "y2" if norms else "y", "nticks": 5 if width < NARROW else 11, "tickangle": 0}
    zoom = f"{unit} {span} {losses} {norms}"  # plotly keeps the user's zoom until this changes
    frame(figure, MARGIN | {"r": right}, legend_y=1 if width < NARROW else None, xaxis=steps, uirevision=zoom, **axes)
    return figure


def training_curves_sentences(runs: Sequence[Run], unit: str = "nats") -> list[Sentence]:
    """Describe each run in a sentence: first and last losses."""
    return [Sentence(_describe(run, unit), (run.model,) if run.model else ()) for run in runs if run.history]


def _describe(run: Run, unit: str) -> str:
    first, last, convert = run.history[0], run.history[-1], UNITS[unit]
    losses = f"training {convert(last.train_loss_nats):.3f}, validation {convert(last.val_loss_nats):.3f}"
    return f"{run.title}: from {convert(first.val_loss_nats):.2f} {unit} per character to {losses} at step {last.step}."


def _loss(run: Run, part: str, unit: str) -> list[float]:
    return [UNITS[unit](getattr(point, LOSSES[part])) for point in run.history]


def _thick(line: Line, lines: Sequence[Line]) -> bool:
    """Return whether a curve is its run's main one: validation if there are both."""
    return line.part == lines[-1].part


def _range(lines: Sequence[Line], span: str) -> tuple[float, float]:
    values = [value for line in lines for value in line.values]
    low, high = min(values, default=0.0), max(values, default=1.0)
    if span == "late":
        high = min(high, LATE * min((min(line.values) for line in lines if _thick(line, lines)), default=1.0))
    return padded(low, high)


def _decades(lines: Sequence[Line]) -> tuple[float, float]:
    """Return the log10 range of positive values; the first norm is 0."""
    positive = [value for line in lines for value in line.values if value > 0] or [1.0]
    return math.log10(min(positive)) - 0.1, math.log10(max(positive)) + 0.1


def _draw(figure: go.Figure, lines: Sequence[Line], panel: Panel, width: int, number: str) -> None:
    """Draw the curves of a panel; label their ends unless the figure is narrow."""
    for line in lines:
        stroke, name, main = line.run.stroke, escaped(f"{line.run.title}, {line.part}"), _thick(line, lines)
        figure.add_scatter(
            x=[point.step for point in line.run.history],
            y=[value if panel.scale is float or value > 0 else None for value in line.values],
            mode="lines",
            line={
                "color": stroke.color,
                "dash": stroke.dash,
                "width": THICK if line.part != NORMS and main else THIN,
            },
            name=name,
            meta=line.run.model or None,
            hovertemplate=name + ", step %{x}: %{y:.4g}<extra></extra>",
            yaxis=panel.axis,
            showlegend=main and (panel.axis == "y" or panel.height > HEIGHT / 2),  # one entry per run
        )
    if width < NARROW:
        return
    ends = [
        CurveEnd(
            text=f"<b>{escaped(line.run.title)}</b>" + (f" {number.format(line.values[-1])}" if number else ""),
            color=line.run.stroke.color,
            x=line.run.history[-1].step,
            y=panel.scale(line.values[-1]),
            dx=(1 - line.run.history[-1].step / panel.steps) * panel.width + 18,
            model=line.run.model,
        )
        for line in lines
        if _thick(line, lines) and line.values[-1] > 0
    ]
    label_ends(figure, ends, panel.limits, panel.height, panel.axis)
