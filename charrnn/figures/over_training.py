"""Gradient flow at saved steps, and gradient norms during training."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from charrnn.figures.axes import LOG_TICKS, NARROW, axis, frame, note
from charrnn.figures.gradient_norms import Curve, gradient_flow_figure
from charrnn.figures.palette import INK, MODELS, ORANGE, QUIET, Stroke, mixed
from charrnn.gradient_flow import GradientFlow

HEIGHT = 300  # pixels
MARGIN = {"l": 62, "r": 30, "t": 14, "b": 48}
DASHES = ("1px,4px", "2px,3px", "4px,3px", "7px,3px", "11px,3px")  # the longer, the later


def steps_figure(flows: Mapping[int, GradientFlow], color: str, width: int = 900) -> go.Figure:
    """Draw one model's curve at each saved step; the last one with its band."""
    curves = [
        Curve(f"step {step}", flow, _stroke(i, len(flows), color)) for i, (step, flow) in enumerate(flows.items())
    ]
    return gradient_flow_figure(curves, width, picked=curves[-1])


def describe_steps(title: str, flows: Mapping[int, GradientFlow]) -> str:
    """Describe the half-life at every saved step in a sentence."""
    half_lives = [f"{flow.describe_half_life()} at step {step}" for step, flow in flows.items()]
    return f"{title}: half of the signal is gone, in characters, after {', '.join(half_lives)}."


def _stroke(i: int, count: int, color: str) -> Stroke:
    """Return the line style of the i-th of `count` steps."""
    share = 1.0 if count < 2 else i / (count - 1)
    dash = "solid" if i == count - 1 else DASHES[min(len(DASHES) - 1, round(share * len(DASHES)))]
    return Stroke(mixed(color, share, QUIET), dash)


# ------------------------------------------------------------------------------------------------ norms during training


@dataclass(frozen=True)
class NormRun:
    """A training run: largest gradient norm before clipping per `every` steps."""

    title: str
    norms: Sequence[float]
    every: int
    clipped: bool

    @property
    def name(self) -> str:
        return f"{self.title}, {'clipped' if self.clipped else 'not clipped'}"


def grad_norms_figure(runs: Sequence[NormRun], threshold: float, width: int = 900) -> go.Figure:
    """Draw gradient norms during training; unclipped runs are thin and dashed."""
    figure = go.Figure()
    last_step = max((len(run.norms) * run.every for run in runs), default=1)
    values = [norm for run in runs for norm in run.norms if norm > 0]
    limits = math.log10(min([*values, threshold])) - 0.1, math.log10(max([*values, threshold])) + 0.25
    colors = {title: MODELS[i] for i, title in enumerate(_titles(runs))}
    for run in sorted(runs, key=lambda run: not run.clipped):
        alone = sum(other.title == run.title for other in runs) == 1
        color = colors[run.title] if run.clipped or alone else INK
        ink = {"color": color, "width": 5 if run.clipped else 1.6}
        figure.add_scatter(
            x=_steps(run),
            y=list(run.norms),
            mode="lines",
            name=run.name,
            line=ink | {"dash": "solid" if run.clipped else "5px,4px"},
            opacity=0.55 if run.clipped else 1,
            hovertemplate=run.name + ", step %{x}: %{y:.3g}<extra></extra>",
        )
    line = {"color": ORANGE, "width": 1.4}
    figure.add_shape(type="line", x0=0, x1=last_step, y0=threshold, y1=threshold, line=line, layer="below")
    note(figure, f"clipped above {threshold:g}", last_step, math.log10(threshold), "bottom right", ORANGE)
    across = axis("training step", range=[0, last_step], showgrid=False, nticks=5 if width < NARROW else 11)
    up: dict[str, Any] = axis("gradient norm", range=list(limits), **LOG_TICKS)
    frame(figure, MARGIN, legend_y=1, xaxis=across, yaxis=up, height=HEIGHT)
    return figure


def describe_grad_norms(runs: Sequence[NormRun], threshold: float) -> str:
    """State whether any norm reaches the threshold, and the largest norms."""
    largest = {title: _largest([run for run in runs if run.title == title]) for title in _titles(runs)}
    reached = [title for title, norm in largest.items() if norm >= threshold]
    finding = f"The gradient reaches {threshold:g} with {', '.join(reached)}."
    if not reached:
        finding = f"No gradient reaches {threshold:g} in these {len(runs)} runs: clipping changed nothing."
    norms = "; ".join(f"{title}: {norm:.2f}" for title, norm in largest.items())
    return f"{finding} Largest norms: {norms}."


def _titles(runs: Sequence[NormRun]) -> list[str]:
    return [*dict.fromkeys(run.title for run in runs)]


def _largest(runs: Sequence[NormRun]) -> float:
    return max(max(run.norms) for run in runs)


def _steps(run: NormRun) -> list[int]:
    return [(i + 1) * run.every for i in range(len(run.norms))]
