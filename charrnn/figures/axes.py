"""Shared layout of the figures: axes, legend, bands, levels, labels."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from charrnn.figures.palette import AREA_OPACITY, INK, LINE, MONO, PAPER, QUIET, SANS, mixed

NARROW = 560  # pixels: a phone, with short labels and few ticks
TICKS = 11  # pixels
PADDING = 0.05  # of the range of values, at each end of an axis
LETTER_WIDTH, LINE_HEIGHT = 7.3, 16.0  # of 12 pixel monospace
LEGEND = {"orientation": "h", "x": 0, "xanchor": "left", "yanchor": "bottom", "tracegroupgap": 0, "font": {"size": 11}}
LEGEND |= {"itemclick": False, "itemdoubleclick": False}
LOG_TICKS = {
    "type": "log",
    "tickvals": [digit * 10.0**power for power in range(-9, 10) for digit in (1, 2, 5)],
    "ticktext": [f"{digit * 10.0**power:g}" for power in range(-9, 10) for digit in (1, 2, 5)],
}


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """Return an axis; plotly draws powers on log axes 1.25 times too large."""
    size = TICKS / 1.25 if more.get("exponentformat") == "power" else TICKS
    return {
        "gridcolor": LINE,
        "linecolor": LINE,
        "zeroline": False,
        "automargin": True,
        "tickfont": {"family": MONO, "size": size, "color": QUIET},
        "title": {"text": title, "font": {"color": QUIET, "size": 12}, "standoff": 8},
        **more,
    }


def frame(figure: go.Figure, margin: Mapping[str, float], *, legend_y: float | None = None, **more: Any) -> None:
    """
    Set the layout in one call, which is five times faster than merging.

    legend_y: bottom of the legend in heights of the plot area; None for no legend.
    """
    if legend_y is not None:
        traces: Any = figure.data
        for trace in traces:  # plotly flows groups; without them all columns are as wide as the longest name
            trace.legendgroup = trace.name
    figure.update_layout(
        overwrite=True,
        template=None,  # 7 kB of defaults for other kinds of figures
        showlegend=legend_y is not None,
        legend=LEGEND | {"y": legend_y},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin=dict(margin),
        font={"family": SANS, "color": INK, "size": 12},
        hovermode="closest",
        hoverlabel={"bgcolor": PAPER, "bordercolor": LINE, "font": {"color": INK}},
        **more,
    )


def add_band(figure: go.Figure, x: np.ndarray, low: np.ndarray, high: np.ndarray, color: str, **more: Any) -> None:
    """Fill the area between two curves (N,) over x (N,)."""
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]).tolist(),
        y=np.concatenate([high, low[::-1]]).tolist(),
        fill="toself",
        fillcolor=color,
        opacity=AREA_OPACITY,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        **more,
    )


def label_style(color: str) -> dict[str, Any]:
    """Return the style of a label, with a halo over lines and areas."""
    halo = ", ".join([f"0 0 2px {PAPER}"] * 4)
    return {"font": {"family": MONO, "size": 12, "color": color, "shadow": halo}}


class CurveEnd(NamedTuple):
    """Label of a curve at its last point, in axis coordinates (decades on log axes)."""

    text: str
    color: str
    x: float
    y: float
    dx: float  # pixels from the point to the label
    model: str = ""  # checkpoint name, the `name` of the annotation


def label_ends(
    figure: go.Figure, ends: Sequence[CurveEnd], y_range: tuple[float, float], height: float, y_axis: str = "y"
) -> None:
    """
    Label curves in a column at the right, each with a thin line to its end.

    height: of the plot area in pixels.
    """
    low, high = y_range
    heights = [(high - min(max(end.y, low), high)) / (high - low) * height for end in ends]
    for end, own, placed in zip(ends, heights, spread_labels(heights, height), strict=True):
        figure.add_annotation(
            x=end.x,
            y=min(max(end.y, low), high),
            yref=y_axis,
            text=end.text,
            name=end.model or None,
            ax=end.dx,
            ay=placed - own,
            xanchor="left",
            showarrow=True,
            arrowhead=0,
            arrowwidth=1,
            arrowcolor=mixed(end.color, 0.5),
            **label_style(end.color),
        )


def spread_labels(heights: Sequence[float], area_height: float) -> list[float]:
    """
    Move labels apart by LINE_HEIGHT pixels, in the order of their heights.

    Heights in pixels from the top; spread evenly if the column is too short. Touching labels form a block at its best
    position: isotonic regression.
    """
    count = len(heights)
    distance = min(LINE_HEIGHT, area_height / max(1, count))
    order = np.argsort(heights, kind="stable")
    blocks: list[tuple[float, int]] = []  # height of the first label, labels
    for i, label in enumerate(order.tolist()):
        block = (heights[label] - i * distance, 1)
        while blocks and blocks[-1][0] >= block[0]:
            (first, size), (other, other_size) = blocks.pop(), block
            block = (first * size + other * other_size) / (size + other_size), size + other_size
        blocks.append(block)
    firsts = np.repeat([height for height, _ in blocks], [size for _, size in blocks])
    placed = np.empty(count)
    placed[order] = firsts.clip(distance / 2, area_height - distance * (count - 0.5)) + distance * np.arange(count)
    return placed.tolist()


def level_line(
    figure: go.Figure, level: float, text: str, ends: Sequence[float], end: float | None = None, **axes: str
) -> None:
    """
    Draw a thin horizontal line on a log axis, with its label at the right.

    ends: of the line, in data coordinates; end: where the label begins, in axis coordinates (default: ends[1]).
    """
    line = {"color": QUIET, "width": 1, "dash": "1px,3px"}
    figure.add_shape(type="line", x0=ends[0], x1=ends[1], y0=level, y1=level, line=line, layer="below", **axes)
    note(figure, text, ends[1] if end is None else end, math.log10(level), "middle left", QUIET, xshift=3, **axes)


def note(figure: go.Figure, text: str, x: float, y: float, anchor: str, color: str = INK, **more: Any) -> None:
    """Write a label; anchor: its corner at the point, such as `bottom left`."""
    vertical, horizontal = anchor.split()
    position = {"x": x, "y": y, "xanchor": horizontal, "yanchor": vertical, "showarrow": False}
    figure.add_annotation(text=text, **position, **label_style(color) | more)


def panel_title(figure: go.Figure, text: str, y: float, shift: float) -> None:
    """Write the title of a panel above its top edge, y in heights of the plot area."""
    font = {"size": 12, "color": INK}
    note(figure, f"<b>{text}</b>", 0, y, "bottom left", xref="paper", yref="paper", yshift=shift, font=font)


def padded(low: float, high: float) -> tuple[float, float]:
    """Widen a range of values by 5 % at each end; by 0.1 if it is a point."""
    padding = PADDING * (high - low) or 0.1
    return low - padding, high + padding


def escaped(name: str) -> str:
    """Escape a name for plotly, which interprets some HTML."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
