"""How models learnt: loss and gradient norm of any set of runs against the step, names at the ends of the curves."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from charrnn.figures import labels
from charrnn.figures.axes import LOG_TICKS, NARROW, axis, escaped, frame, name_beside, words
from charrnn.figures.labels import Area
from charrnn.figures.palette import Palette, Stroke, faint
from charrnn.metrics import Progress, bits_per_char

HEIGHT = 560
MARGIN = {"l": 62, "t": 14, "b": 48}
LATE = 1.35  # the late part of learning: losses up to so many times the best one
LOSSES = {"train": "train_loss_nats", "validation": "val_loss_nats"}
NORMS = "gradient norm"
PARTS = (*LOSSES, NORMS)  # what there is to see
UNITS: dict[str, Callable[[float], float]] = {"nats": float, "bits": bits_per_char}
THIN, THICK = 1.2, 2.4
SPANS = ("late", "whole")


@dataclass(frozen=True)
class Run:
    """The history of a checkpoint, what it is called and how its line is drawn."""

    title: str
    history: Sequence[Progress]
    stroke: Stroke


class Panel(NamedTuple):
    """One of the two, in pixels: its axis, the steps it shows, and the values between which it shows, as drawn."""

    axis: str
    width: float
    height: float
    steps: int
    limits: tuple[float, float]
    scale: Callable[[float], float]


def training_curves_figure(
    runs: Sequence[Run],
    palette: Palette,
    width: int = 900,
    parts: Sequence[str] = PARTS,
    unit: str = "nats",
    span: str = "late",
) -> go.Figure:
    """
    The training curves of these runs: the losses above, the gradient norm before clipping below.

    Validation is drawn thick, training thin. parts: of PARTS; unit: of UNITS; span: `late` cuts off the first steps,
    where every loss falls from ln V, `whole` shows them too. width: pixels there are.
    """
    figure = go.Figure()
    losses, has_norms = [part for part in LOSSES if part in parts], NORMS in parts
    longest = max((len(run.title) for run in runs), default=0)
    right = 14 if width < NARROW else labels.LETTER_WIDTH * (longest + 6) + 26
    inner = width - MARGIN["l"] - right, HEIGHT - MARGIN["t"] - MARGIN["b"]
    most = max((run.history[-1].step for run in runs if run.history), default=0) or 1
    split = (0.0, 0.0) if not has_norms else (0.0, 1.0) if not losses else (0.0, 0.34)
    panels: dict[str, Any] = {}
    if losses:
        curves = [(run, [(part, _loss(run, part, unit)) for part in losses]) for run in runs]
        drawn = [value for _, some in curves for _, values in some for value in values]
        low, high = _range(drawn, span)
        panels["yaxis"] = axis(
            palette, f"{unit} per character", range=[low, high], domain=[split[1] + (0.08 if has_norms else 0), 1]
        )
        for run, some in curves:
            for part, values in some:
                _line(figure, run, values, part, "y", THIN if part == "train" and len(losses) > 1 else THICK)
        ends = [(run, some[-1][1][-1]) for run, some in curves if run.history]
        panel = Panel("y", inner[0], inner[1] * (1 - panels["yaxis"]["domain"][0]), most, (low, high), float)
        if width < NARROW:
            _names_between(figure, curves, panel, palette)
        else:
            _names_at_ends(figure, ends, panel, "{:.3f}", palette)
    if has_norms:
        norms = [(run, [point.grad_norm for point in run.history]) for run in runs]
        positive = [norm for _, values in norms for norm in values if norm > 0] or [1.0]
        low, high = math.log10(min(positive)) - 0.1, math.log10(max(positive)) + 0.1
        panels["yaxis2"] = axis(palette, NORMS, range=[low, high], domain=list(split), anchor="x", **LOG_TICKS)
        for run, values in norms:
            _line(figure, run, [norm if norm > 0 else None for norm in values], NORMS, "y2", THIN if losses else THICK)
        ends = [(run, values[-1]) for run, values in norms if values and values[-1] > 0]
        panel = Panel("y2", inner[0], inner[1] * split[1], most, (low, high), math.log10)
        if width >= NARROW:
            _names_at_ends(figure, ends, panel, "", palette)
        elif not losses:
            _names_between(figure, [(run, [(NORMS, values)]) for run, values in norms], panel, palette)
    steps = axis(palette, "training step", range=[0, most], showgrid=False)
    steps |= {"anchor": "y2" if has_norms else "y", "nticks": 5 if width < NARROW else 11, "tickangle": 0}
    frame(figure, palette, MARGIN | {"r": right}, xaxis=steps, **panels)
    return figure


def training_curves_words(runs: Sequence[Run], unit: str = "nats") -> str:
    """The figure in a sentence for each run: where its losses began and ended."""
    told = [_told(run, unit) for run in runs if run.history]
    return " ".join(told)


def _told(run: Run, unit: str) -> str:
    first, last, read = run.history[0], run.history[-1], UNITS[unit]
    losses = f"training {read(last.train_loss_nats):.3f}, validation {read(last.val_loss_nats):.3f}"
    return f"{run.title}: from {read(first.val_loss_nats):.2f} {unit} per character to {losses} at step {last.step}."


def _loss(run: Run, part: str, unit: str) -> list[float]:
    return [UNITS[unit](getattr(point, LOSSES[part])) for point in run.history]


def _range(losses: Sequence[float], span: str) -> tuple[float, float]:
    if not losses:
        return 0.0, 1.0
    low, high = min(losses), max(losses)
    high = min(high, LATE * low) if span == "late" else high
    room = 0.04 * (high - low) or 0.1
    return low - room, high + room


def _line(figure: go.Figure, run: Run, values: Sequence[float | None], part: str, axis_name: str, width: float) -> None:
    hover = escaped(f"{run.title}, {part}") + ", step %{x}: %{y:.4g}<extra></extra>"
    figure.add_scatter(
        x=[point.step for point in run.history],
        y=list(values),
        mode="lines",
        line={"color": run.stroke.colour, "dash": run.stroke.dash, "width": width},
        name=escaped(f"{run.title}, {part}"),
        hovertemplate=hover,
        yaxis=axis_name,
    )


def _names_at_ends(
    figure: go.Figure, ends: Sequence[tuple[Run, float]], panel: Panel, number: str, palette: Palette
) -> None:
    """The name of each run in a column at the right, each with a thin line to the end of its curve."""
    low, high = panel.limits
    seen = [min(max(panel.scale(value), low), high) for _, value in ends]
    wanted = [(high - y) / (high - low) * panel.height for y in seen]
    placed = labels.at_ends(wanted, panel.height)
    for (run, value), y, height, own in zip(ends, seen, wanted, placed, strict=True):
        text = f"<b>{escaped(run.title)}</b>" + (f" {number.format(value)}" if number else "")
        step = run.history[-1].step
        figure.add_annotation(
            x=step,
            y=y,
            yref=panel.axis,
            text=text,
            ax=(1 - step / panel.steps) * panel.width + 18,
            ay=own - height,
            xanchor="left",
            showarrow=True,
            arrowhead=0,
            arrowwidth=1,
            arrowcolor=faint(run.stroke.colour, 0.5),
            **words(run.stroke.colour, palette),
        )


def _names_between(figure: go.Figure, curves: Sequence[tuple[Run, Any]], panel: Panel, palette: Palette) -> None:
    """The name of each run beside its thickest curve: on a telephone there is no room for a column."""
    area = Area(panel.width, panel.height, (0, panel.steps), panel.limits)
    drawn = [(run, values[-1][1]) for run, values in curves if run.history]
    pixels = [
        area.pixels(
            np.array([point.step for point in run.history]),
            np.array([panel.scale(value) if value > 0 else math.nan for value in values]),
        )
        for run, values in drawn
    ]
    boxes = [labels.box_of([run.title]) for run, _ in drawn]
    spots = labels.beside_curves(pixels, boxes, np.empty((0, 2)), area)
    for (run, _), spot, box in zip(drawn, spots, boxes, strict=True):
        text = f"<b>{escaped(run.title)}</b>"
        name_beside(figure, text, spot, box, area, run.stroke.colour, palette, panel.axis)
