"""Gradient norm by lag, for any set of models on one log axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from charrnn.figures.axes import NARROW, add_band, axis, escaped, frame, level_line
from charrnn.figures.palette import INK, PAPER, QUIET, SPARSE_DOTS, Stroke
from charrnn.figures.sentences import Sentence, text_of
from charrnn.gradient_flow import HALF, HORIZON, GradientFlow

FLOOR = 1e-12  # smaller values are not drawn
HEIGHT = 460  # pixels, as in ui/components/plot/plot.css
MARGIN = {"l": 62, "r": 42, "t": 14, "b": 48}


@dataclass(frozen=True)
class Curve:
    """Measurements of one model, with title, line style and checkpoint name."""

    title: str
    flow: GradientFlow
    stroke: Stroke
    model: str = ""  # `meta` of its traces


def gradient_flow_figure(
    curves: Sequence[Curve],
    width: int = 900,
    picked: Curve | None = None,
    untrained: GradientFlow | None = None,
) -> go.Figure:
    """
    Draw the median gradient norm of every model by lag.

    Half-life and 1 % horizon appear as points. picked: shown with its 10–90 % band, geometric mean and the untrained
    network. width: pixels.
    """
    figure = go.Figure()
    if picked is not None:
        _band(figure, picked)
    if untrained is not None:
        model = picked.model if picked else ""
        _line(figure, untrained.median, "untrained", model, color=QUIET, width=1.6, dash=SPARSE_DOTS)
    for curve in curves:
        style = {"color": curve.stroke.color, "dash": curve.stroke.dash}
        _line(figure, curve.flow.median, curve.title, curve.model, width=2.8 if curve is picked else 2, **style)
    if picked is not None:
        _line(figure, picked.flow.geometric_mean, f"{picked.title}, geometric mean", picked.model, color=INK, width=1)
    for curve in curves:
        _crossing(figure, curve, curve.flow.half_life_chars, HALF, "half-life", "circle")
        _crossing(figure, curve, curve.flow.horizon_chars, HORIZON, "1 % left", "diamond")

    max_lag = max((int(curve.flow.lags[-1]) for curve in curves), default=128)
    level_line(figure, HALF, "half", (0, max_lag))
    level_line(figure, HORIZON, "1 %", (0, max_lag))
    frame(
        figure,
        MARGIN,
        legend_y=1,
        xaxis=axis("characters back, k", range=[0, max_lag], dtick=32 if width < NARROW else 16, showgrid=False),
        yaxis=axis(
            "gradient, relative to k = 0",
            type="log",
            range=_decades(curves, picked, untrained),
            dtick=2,
            exponentformat="power",
        ),
    )
    return figure


def gradient_flow_sentences(curves: Sequence[Curve], texts: Sequence[str]) -> list[Sentence]:
    """Describe each curve in a sentence or two, then the text of each measurement."""
    sentences, measured = list[Sentence](), dict[tuple[int, str], tuple[str, ...]]()
    for curve, text in zip(curves, texts, strict=True):
        context, of = context_of(curve.flow), (curve.model,) if curve.model else ()
        sentences.append(
            Sentence(f"{curve.title}: the gradient {curve.flow.describe_halving()}, {_horizon(curve.flow)}.", of)
        )
        if context is not None:
            sentences.append(Sentence(f"{curve.title} sees {context} characters and nothing beyond.", of))
        measurement = curve.flow.positions, text
        measured[measurement] = measured.get(measurement, ()) + of
    for (positions, text), of in measured.items():
        sentences.append(Sentence(f"Measured at {positions:,} positions of {text}.", of))
    with_interval = [curve for curve in curves if curve.flow.half_life_interval]
    if with_interval:
        of = tuple(curve.model for curve in with_interval if curve.model)
        sentences.append(Sentence("In brackets the 95 % interval of the median, by bootstrap over the positions.", of))
    return sentences


def describe_gradient_flow(curves: Sequence[Curve], texts: Sequence[str]) -> str:
    """Describe the figure, with the text of each measurement."""
    return text_of(gradient_flow_sentences(curves, texts))


def _horizon(flow: GradientFlow) -> str:
    if _is_far(flow):
        return f"more than 1 % of it is left after {(context_of(flow) or int(flow.lags[-1]) + 1) - 1}"
    return f"1 % of it is left after {flow.describe_horizon()}"


def _is_far(flow: GradientFlow) -> bool:
    """Return whether more than 1 % is left at the last lag."""
    return flow.horizon_chars is None or flow.horizon_chars == context_of(flow)


def context_of(flow: GradientFlow) -> int | None:
    """Return the lag from which the gradient is zero (a Transformer's context)."""
    zeros = np.flatnonzero(flow.high == 0)
    return int(flow.lags[zeros[0]]) if len(zeros) and not flow.high[zeros[0] :].any() else None


# ------------------------------------------------------------------------------------------------ lines


def _line(figure: go.Figure, curve: np.ndarray, name: str, model: str, **style: Any) -> None:
    """Draw a curve over lags 0, 1, … with its hover text."""
    hover = escaped(name) + ", k = %{x}: %{y:.3g}<extra></extra>"
    figure.add_scatter(
        x=list(range(len(curve))),
        y=_above_floor(curve),
        mode="lines",
        line=style,
        name=escaped(name),
        meta=model or None,
        hovertemplate=hover,
    )


def _above_floor(values: np.ndarray) -> list[float | None]:
    """Replace values below the drawn range by None, which interrupts the line."""
    return [value if value >= FLOOR else None for value in values.tolist()]


def _band(figure: go.Figure, curve: Curve) -> None:
    nonzero = curve.flow.high > 0  # 0 beyond the context of a Transformer
    lags, high, low = (values[nonzero] for values in (curve.flow.lags, curve.flow.high, curve.flow.low))
    high, low = np.maximum(high, FLOOR), np.maximum(low, FLOOR)
    add_band(figure, lags, low, high, curve.stroke.color, meta=curve.model or None)


def _crossing(figure: go.Figure, curve: Curve, lag: float | None, level: float, label: str, symbol: str) -> None:
    """Mark the lag at which the median falls to a level, except at a context's end."""
    if lag is None or (level == HORIZON and _is_far(curve.flow)):
        return
    figure.add_scatter(
        x=[lag],
        y=[level],
        mode="markers",
        marker={
            "color": curve.stroke.color,
            "size": 9,
            "symbol": symbol,
            "line": {"color": PAPER, "width": 1.5},
        },
        showlegend=False,
        meta=curve.model or None,
        hovertemplate=escaped(f"{curve.title}, {label}: ") + "%{x:.2f} characters<extra></extra>",
    )


def _decades(curves: Sequence[Curve], picked: Curve | None, untrained: GradientFlow | None) -> list[float]:
    """Return the log10 range of the curves, in pairs of decades."""
    drawn = [curve.flow.median for curve in curves]
    drawn += [] if picked is None else [picked.flow.high]
    drawn += [] if untrained is None else [untrained.median]
    values = np.concatenate([[1.0], *drawn])
    lowest = max(FLOOR, float(values[values > 0].min()))
    return [min(-2.0, 2 * math.floor(math.log10(lowest) / 2)), max(0.35, math.log10(values.max()) + 0.35)]
