"""Gradient norm by lag, for any set of models on one log axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from charrnn.figures.axes import NARROW, TICKS, add_band, axis, escaped, frame, level_line
from charrnn.figures.palette import INK, MONO, PAPER, QUIET, SPARSE_DOTS, Stroke
from charrnn.figures.sentences import Sentence, text_of
from charrnn.gradient_flow import HALF, HORIZON, GradientFlow

FLOOR = 1e-12  # smaller values are not drawn
HEIGHT = 380  # pixels
LETTERS_SHARE = 0.07  # of the height of the plot area
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
    letters: str = "",
    height: int = HEIGHT,
) -> go.Figure:
    """
    Draw the median gradient norm of every model by lag.

    The lag grows to the left, as in a text. Half-life and 1 % horizon appear as points; a thin line leads from the
    horizon to the axis. picked: shown with its 10–90 % band, geometric mean and the untrained network. letters: a text,
    written below the curves so that its last character is at lag 0. width, height: pixels.
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
    decades = _decades(curves, picked, untrained)
    for curve in curves:
        _drop_line(figure, curve, 10 ** decades[0])
    for curve in curves:
        _crossing(figure, curve, curve.flow.half_life_chars, HALF, "½")
        _crossing(figure, curve, curve.flow.horizon_chars, HORIZON, "1 %")

    max_lag = max((int(curve.flow.lags[-1]) for curve in curves), default=128)
    level_line(figure, HALF, "half", (max_lag, 0))
    level_line(figure, HORIZON, "1 %", (max_lag, 0))
    across = axis("characters back, k", range=[max_lag, 0], dtick=32 if width < NARROW else 16, showgrid=False)
    up = axis("left of the signal, log scale", type="log", range=decades, dtick=2, exponentformat="power")
    more: dict[str, Any] = {"yaxis": up}
    if letters:
        _letters(figure, letters[-max_lag - 1 :])
        across["anchor"] = "y2"
        more["yaxis"] = up | {"domain": [LETTERS_SHARE, 1]}
        more["yaxis2"] = {"domain": [0, LETTERS_SHARE], "range": [-1, 1], "visible": False, "fixedrange": True}
    frame(figure, MARGIN, legend_y=1, xaxis=across, height=height, **more)
    return figure


def gradient_flow_sentences(curves: Sequence[Curve], texts: Sequence[str]) -> list[Sentence]:
    """State the 1 % horizon of each curve, then the text of each measurement."""
    sentences, measured = list[Sentence](), dict[tuple[int, str], tuple[str, ...]]()
    for curve, text in zip(curves, texts, strict=True):
        of = (curve.model,) if curve.model else ()
        context = context_of(curve.flow)
        limit = "" if context is None else f"; it sees only the last {context} characters"
        sentences.append(Sentence(f"{curve.title}: {_horizon(curve.flow)}{_return(curve.flow)}{limit}.", of))
        measurement = curve.flow.positions, text
        measured[measurement] = measured.get(measurement, ()) + of
    if curves:
        heading = "99 % of the learning signal is gone after this many characters."
        sentences.insert(0, Sentence(heading, sum(measured.values(), ())))
    with_interval = any(curve.flow.horizon_interval for curve in curves)
    method = ", with 95 % intervals of the median by bootstrap" if with_interval else ""
    for (positions, text), of in measured.items():
        sentences.append(Sentence(f"Measured at {positions:,} places in {text}{method}.", of))
    return sentences


def describe_gradient_flow(curves: Sequence[Curve], texts: Sequence[str]) -> str:
    """Describe the figure, with the text of each measurement."""
    return text_of(gradient_flow_sentences(curves, texts))


def _horizon(flow: GradientFlow) -> str:
    if _is_far(flow):
        return f"more than {(context_of(flow) or int(flow.lags[-1]) + 1) - 1}"
    return flow.describe_horizon()


def _return(flow: GradientFlow) -> str:
    """Say where a curve is above 1 % again, beyond its horizon."""
    horizon = np.inf if flow.horizon_chars is None else flow.horizon_chars
    again = flow.lags[(flow.lags > horizon + 1) & (flow.median > HORIZON)]
    return f", but more than 1 % is left again {int(again[0])} characters back" if len(again) else ""


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


def _crossing(figure: go.Figure, curve: Curve, lag: float | None, level: float, label: str) -> None:
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
            "symbol": "circle" if level == HALF else "diamond",
            "line": {"color": PAPER, "width": 1.5},
        },
        showlegend=False,
        meta=curve.model or None,
        hovertemplate=escaped(f"{curve.title}: {label} after ") + "%{x:.1f} characters<extra></extra>",
    )


def _drop_line(figure: go.Figure, curve: Curve, lowest: float) -> None:
    """Draw a thin line from the 1 % horizon down to the axis."""
    lag = curve.flow.horizon_chars
    if lag is None or _is_far(curve.flow):
        return
    line = {"color": curve.stroke.color, "width": 1, "dash": curve.stroke.dash}
    more: dict[str, Any] = {"showlegend": False, "meta": curve.model or None, "hoverinfo": "skip"}
    figure.add_scatter(x=[lag, lag], y=[HORIZON, lowest], mode="lines", line=line, **more)


def _letters(figure: go.Figure, letters: str) -> None:
    """Write a text along the axis, one character per lag; plotly_figure.js sets its size."""
    shown = ["⏎" if letter == "\n" else escaped(letter) for letter in reversed(letters)]
    figure.add_scatter(
        x0=0,
        dx=1,
        y=[0] * len(shown),
        text=shown,
        mode="text",
        textfont={"family": MONO, "size": TICKS, "color": INK},
        cliponaxis=False,
        yaxis="y2",
        showlegend=False,
        hovertemplate="“%{text}”, %{x} back<extra></extra>",
    )


def _decades(curves: Sequence[Curve], picked: Curve | None, untrained: GradientFlow | None) -> list[float]:
    """Return the log10 range of the curves, in pairs of decades."""
    drawn = [curve.flow.median for curve in curves]
    drawn += [] if picked is None else [picked.flow.high]
    drawn += [] if untrained is None else [untrained.median]
    values = np.concatenate([[1.0], *drawn])
    lowest = max(FLOOR, float(values[values > 0].min()))
    return [min(-2.0, 2 * math.floor(math.log10(lowest) / 2)), max(0.35, math.log10(values.max()) + 0.35)]
