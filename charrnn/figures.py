"""
Records of numpy arrays → plotly figures. Pure functions, one palette for light and one for dark, labels on the curves.

No figure has a legend, a title or a background: the page around it says what it shows.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import plotly.graph_objects as go

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'
MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'
FLOOR = 1e-12  # below this the gradient is rounding, not learning


@dataclass(frozen=True)
class Palette:
    """The colours of the page, as in ui/theme.css."""

    paper: str
    ink: str
    quiet: str
    line: str
    blue: str
    orange: str
    band: str


LIGHT = Palette("#fbfaf8", "#1d1c1a", "#68645e", "#e7e3dc", "#0b6e99", "#a9441a", "rgba(11, 110, 153, 0.15)")
DARK = Palette("#131417", "#ece9e3", "#9b978f", "#2b2e34", "#5cb8e0", "#f0925f", "rgba(92, 184, 224, 0.17)")


class Flow(Protocol):
    """What `gradient_flow` measured: arrays (K+1,), relative to lag 0."""

    @property
    def lags(self) -> np.ndarray: ...
    @property
    def median(self) -> np.ndarray: ...
    @property
    def low(self) -> np.ndarray: ...
    @property
    def high(self) -> np.ndarray: ...
    @property
    def geometric_mean(self) -> np.ndarray: ...
    @property
    def positions(self) -> int: ...
    @property
    def half_life_chars(self) -> float | None: ...
    @property
    def horizon_chars(self) -> float | None: ...


def gradient_flow_figure(flow: Flow, name: str, palette: Palette, untrained: Flow | None = None) -> go.Figure:
    """
    The norm of the gradient against the lag, on a log axis: median, 10–90 % band, geometric mean; half-life and 1 %
    horizon as labelled points, the untrained network as a ghost.
    """
    figure = go.Figure()
    slower = True  # the untrained network's gradient lives longer, so its curve runs on the right
    low, high = np.maximum(flow.low, FLOOR), np.maximum(flow.high, FLOOR)
    figure.add_scatter(
        x=np.concatenate([flow.lags, flow.lags[::-1]]).tolist(),
        y=np.concatenate([high, low[::-1]]).tolist(),
        fill="toself",
        fillcolor=palette.band,
        line={"width": 0},
        hoverinfo="skip",
    )
    if untrained is not None:
        _line(figure, untrained.median, "untrained, ", color=palette.quiet, width=1.6, dash="dot")
        slower = bool(untrained.median[-1] > flow.median[-1])
        _label_on(figure, untrained, 0.6, "untrained", palette.quiet, palette, right=slower)
    _line(figure, flow.median, "", color=palette.blue, width=2.6)
    _line(figure, flow.geometric_mean, "geometric mean, ", color=palette.ink, width=1, dash="dash")
    _label_on(figure, flow, 0.7, name.replace(", ", "<br>"), palette.blue, palette, right=not slower)
    curves = [flow.high] + ([untrained.median] if untrained is not None else [])
    _mark(figure, flow.half_life_chars, 0.5, "half-life", curves, palette)
    _mark(figure, flow.horizon_chars, 0.01, "1 % left", curves, palette)
    axis = {"gridcolor": palette.line, "zeroline": False, "linecolor": palette.line, "fixedrange": False}
    ticks = {"family": MONO, "size": 11, "color": palette.quiet}
    figure.update_layout(
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 56, "r": 12, "t": 14, "b": 48},
        font={"family": SANS, "color": palette.ink, "size": 12},
        hovermode="closest",
        hoverlabel={"bgcolor": palette.paper, "bordercolor": palette.line, "font": {"color": palette.ink}},
        xaxis={
            **axis,
            "tickfont": ticks,
            "title": {"text": "characters back, k", "font": {"color": palette.quiet, "size": 12}},
            "range": [0, int(flow.lags[-1])],
            "dtick": 16,
            "showgrid": False,
        },
        yaxis={
            **axis,
            "tickfont": {**ticks, "size": 9},  # plotly draws powers 1.25 times as large
            "type": "log",
            "range": _decades(flow, untrained),
            "dtick": 2,
            "exponentformat": "power",
        },
    )
    return figure


def gradient_flow_words(flow: Flow, name: str, text: str) -> str:
    """The figure in a sentence: what it says to those who cannot see it, and on which text it was measured."""
    half = "never halves" if flow.half_life_chars is None else f"has halved after {flow.half_life_chars:.1f} characters"
    most = int(flow.lags[-1])
    rest = (
        f"more than 1 % of it is left after {most}"
        if flow.horizon_chars is None
        else f"1 % of it is left after {flow.horizon_chars:.1f}"
    )
    return f"{name}: the gradient {half}, {rest}. Measured at {flow.positions} positions of {text}."


def _line(figure: go.Figure, curve: np.ndarray, label: str, **style: Any) -> None:
    """A curve over its lags 0, 1, …, and what hovering over it says."""
    hover = label + "k = %{x}: %{y:.3g}<extra></extra>"
    lags = list(range(len(curve)))
    figure.add_scatter(x=lags, y=_above_floor(curve), mode="lines", line=style, hovertemplate=hover)


def _above_floor(values: np.ndarray) -> list[float | None]:
    """A line ends where it falls below what can be told from rounding."""
    return [value if value >= FLOOR else None for value in values.tolist()]


def _decades(flow: Flow, untrained: Flow | None) -> list[float]:
    """The log10 range that holds the curves, whole pairs of decades."""
    curves = [flow.median, flow.high] + ([untrained.median] if untrained is not None else [])
    lowest = max(FLOOR, min(float(curve.min()) for curve in curves))
    highest = max(float(curve.max()) for curve in curves)
    return [2 * math.floor(math.log10(lowest) / 2), max(0.35, math.log10(highest) + 0.35)]


def _label_on(
    figure: go.Figure, flow: Flow, share: float, text: str, colour: str, palette: Palette, right: bool
) -> None:
    """A name beside a falling curve, `share` of the way along what is seen of it: above right of it, or below left."""
    seen = np.flatnonzero(flow.median >= FLOOR)
    height = float(flow.median[int(seen[int(share * (len(seen) - 1))])])
    edge = flow.median if right else flow.low  # on the left it stands clear of the band as well
    figure.add_annotation(
        x=int(flow.lags[int((edge >= height).sum()) - 1]),
        y=math.log10(height),
        text=text,
        align="left" if right else "right",
        xanchor="left" if right else "right",
        yanchor="bottom" if right else "top",
        xshift=12 if right else -6,
        **_plain(colour, palette),
    )


def _plain(colour: str, palette: Palette) -> dict:
    return {"showarrow": False, "bgcolor": palette.paper, "font": {"family": MONO, "size": 12, "color": colour}}


def _mark(
    figure: go.Figure, lag: float | None, level: float, what: str, curves: list[np.ndarray], palette: Palette
) -> None:
    """A point on the median where it crosses a level, with its lag in characters, written clear of the curves."""
    if lag is None:
        return
    figure.add_scatter(
        x=[lag],
        y=[level],
        mode="markers",
        marker={"color": palette.orange, "size": 9, "line": {"color": palette.paper, "width": 1.5}},
        hovertemplate=what + ": %{x:.2f} characters<extra></extra>",
    )
    crossings = [int((curve >= level).sum()) for curve in curves]
    figure.add_annotation(
        x=max([lag, *(x for x in crossings if x < len(curves[0]) / 2)]),
        y=math.log10(level),
        text=f"{what}: {lag:.1f} characters",
        xanchor="left",
        yanchor="middle",
        xshift=12,
        yshift=9,
        **_plain(palette.orange, palette),
    )
