"""Context use: excess loss by context length, and KL after a corruption."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from charrnn.context_use import NEGLIGIBLE_NATS, MemoryUsed, describe_length
from charrnn.figures.axes import NARROW, add_band, axis, escaped, frame, level_line, panel_title
from charrnn.figures.palette import INK, PAPER, Stroke
from charrnn.figures.sentences import Sentence

HEIGHT = 700
MARGIN = {"l": 62, "r": 58, "t": 30, "b": 48}
BETWEEN = 0.13  # share of the height between the panels
LOW_CONTEXT, LOW_KL = 1e-3, 1e-6  # nats: smaller values are not drawn
TICKS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
THIN, MIDDLE, THICK = 1.2, 2.0, 2.8
TITLES = ("only the last n characters are known: extra loss", "one letter is changed: how much the prediction changes")
SHORT_TITLES = ("only the last n characters are known", "one letter is changed")


@dataclass(frozen=True)
class ContextUseCurve:
    """Measurements of one model, with title, line style and checkpoint name."""

    title: str
    used: MemoryUsed
    stroke: Stroke
    model: str = ""  # `meta` of its traces


class Panel(NamedTuple):
    """Axes, position and ranges (in decades) of one diagram."""

    x: str
    y: str
    domain: tuple[float, float]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    low: float


def context_use_figure(
    curves: Sequence[ContextUseCurve], width: int = 900, picked: ContextUseCurve | None = None
) -> go.Figure:
    """
    Draw both curves of every model, stacked, over log distance.

    picked: shown with its shuffled-prefix control (thin, top) and the 10–90 % band (bottom). A point marks the
    effective context. width: pixels.
    """
    figure = go.Figure()
    above, below = _panels(curves)
    for panel, title in zip((above, below), SHORT_TITLES if width < NARROW else TITLES, strict=True):
        ends = [10**end for end in panel.x_range]
        axes_of_panel = {"xref": panel.x, "yref": panel.y}
        level_line(figure, NEGLIGIBLE_NATS, f"{NEGLIGIBLE_NATS:g}", ends, panel.x_range[1], **axes_of_panel)
        panel_title(figure, title, panel.domain[1], 6)
    if picked is not None:
        _band(figure, picked, below)
        control = picked.used.context.shuffled_excess_nats
        name = f"{picked.title}, control: letters before that shuffled"
        _line(figure, picked.used.context.n, control, name, picked.model, above, color=INK, width=THIN)
    for curve in curves:
        style = {"color": curve.stroke.color, "dash": curve.stroke.dash, "width": THICK if curve is picked else MIDDLE}
        context, probe = curve.used.context, curve.used.corruption
        _line(figure, context.n, context.excess_nats, curve.title, curve.model, above, **style)
        _line(figure, probe.k, probe.median, curve.title, curve.model, below, **style)
        _point(figure, curve, above)
    axes: dict[str, Any] = {}
    titles = (
        ("characters of context, n", "extra loss, nats"),
        ("characters since the changed one, k", "KL, nats"),
    )
    for panel, number, (x_title, y_title) in zip((above, below), ("", "2"), titles, strict=True):
        ticks = {"type": "log", "tickvals": TICKS, "ticktext": [f"{tick}" for tick in TICKS], "showgrid": False}
        axes[f"xaxis{number}"] = axis(x_title, range=list(panel.x_range), anchor=panel.y, **ticks)
        power = {"type": "log", "dtick": 1 if panel is above else 2, "exponentformat": "power"}
        y_axis = axis(y_title, range=list(panel.y_range), anchor=panel.x, **power)
        axes[f"yaxis{number}"] = y_axis | {"domain": list(panel.domain)}
    frame(figure, MARGIN, legend_y=1 + 22 / HEIGHT, height=HEIGHT, **axes)
    return figure


def context_use_sentences(curves: Sequence[ContextUseCurve], texts: Sequence[str]) -> list[Sentence]:
    """State both lengths of each curve, then the text of each measurement."""
    sentences, measured = list[Sentence](), dict[tuple[int, int, str], tuple[str, ...]]()
    for curve, text in zip(curves, texts, strict=True):
        of = (curve.model,) if curve.model else ()
        felt = f"a changed letter affects predictions for {_felt(curve)}"
        sentences.append(Sentence(f"{curve.title} uses {_reach(curve)} characters; {felt}.", of))
        measurement = curve.used.context.predictions, curve.used.corruption.positions, text
        measured[measurement] = measured.get(measurement, ()) + of
    bracketed = any(curve.used.context.ecl_interval or curve.used.corruption.felt_interval for curve in curves)
    method = ", with 95 % intervals by bootstrap" if bracketed else ""
    for (predictions, places, text), of in measured.items():
        counts = f"{predictions:,} predictions and {places:,} changed letters"
        sentences.append(Sentence(f"Measured on {counts} in {text}{method}; less than 0.01 nats counts as none.", of))
    return sentences


def _reach(curve: ContextUseCurve) -> str:
    context = curve.used.context
    return describe_length(context.ecl_chars, len(context.n), context.ecl_interval)


def _felt(curve: ContextUseCurve) -> str:
    probe = curve.used.corruption
    return describe_length(probe.felt_chars, len(probe.k) - 1, probe.felt_interval)


# ------------------------------------------------------------------------------------------------ panels


def _panels(curves: Sequence[ContextUseCurve]) -> tuple[Panel, Panel]:
    longest = max((len(curve.used.context.n) for curve in curves), default=TICKS[-1])
    contexts = [curve.used.context.excess_nats for curve in curves]
    contexts += [curve.used.context.shuffled_excess_nats for curve in curves]
    divergences = [curve.used.corruption.high for curve in curves]
    half = (1 - BETWEEN) / 2
    panels = []
    for number, domain, values, low in (
        ("", (1 - half, 1.0), contexts, LOW_CONTEXT),
        ("2", (0.0, half), divergences, LOW_KL),
    ):
        highest = max((float(curve.max()) for curve in values), default=1.0)
        y_range = (math.log10(low), math.log10(max(highest, 10 * low)) + 0.2)
        panels.append(Panel(f"x{number}", f"y{number}", domain, (0.0, math.log10(longest)), y_range, low))
    return panels[0], panels[1]


def _line(
    figure: go.Figure, x: np.ndarray, values: np.ndarray, name: str, model: str, panel: Panel, **style: Any
) -> None:
    letter = "n" if panel.x == "x" else "k"
    figure.add_scatter(
        x=x.tolist(),
        y=[value if value >= panel.low else None for value in values.tolist()],
        mode="lines",
        line=style,
        name=escaped(name),
        meta=model or None,
        showlegend=panel.x == "x",  # one entry for both panels
        hovertemplate=f"{escaped(name)}, {letter} = %{{x}}: %{{y:.3g}} nats<extra></extra>",
        xaxis=panel.x,
        yaxis=panel.y,
    )


def _band(figure: go.Figure, curve: ContextUseCurve, panel: Panel) -> None:
    probe = curve.used.corruption
    drawn = probe.high >= panel.low
    k, high, low = probe.k[drawn], probe.high[drawn], np.maximum(probe.low[drawn], panel.low)
    add_band(figure, k, low, high, curve.stroke.color, xaxis=panel.x, yaxis=panel.y, meta=curve.model or None)


def _point(figure: go.Figure, curve: ContextUseCurve, panel: Panel) -> None:
    """Mark the effective context at the level that defines it."""
    chars = curve.used.context.ecl_chars
    if chars > len(curve.used.context.n):
        return
    figure.add_scatter(
        x=[chars],
        y=[NEGLIGIBLE_NATS],
        mode="markers",
        marker={"color": curve.stroke.color, "size": 9, "line": {"color": PAPER, "width": 1.5}},
        hovertemplate=f"{escaped(curve.title)}, effective context: %{{x}} characters<extra></extra>",
        xaxis=panel.x,
        yaxis=panel.y,
        showlegend=False,
        meta=curve.model or None,
    )
