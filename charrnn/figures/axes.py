"""Shared layout of the figures: axes, frame and direct labels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from charrnn.figures.label_placement import FAR, Area, Box, Spot
from charrnn.figures.palette import INK, LINE, MONO, PAPER, QUIET, SANS, VEIL

NARROW = 560  # pixels: a telephone, where names are short and ticks few
TICKS = 11  # pixels
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
        "tickfont": {"family": MONO, "size": size, "color": QUIET},
        "title": {"text": title, "font": {"color": QUIET, "size": 12}, "standoff": 8},
        **more,
    }


def frame(figure: go.Figure, margin: Mapping[str, float], **more: Any) -> None:
    """Set the layout in one call; merging it into an existing one is five times slower."""
    figure.update_layout(
        overwrite=True,
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin=dict(margin),
        font={"family": SANS, "color": INK, "size": 12},
        hovermode="closest",
        hoverlabel={"bgcolor": PAPER, "bordercolor": LINE, "font": {"color": INK}},
        **more,
    )


def add_band(figure: go.Figure, x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str, **more: Any) -> None:
    """Fill the area between two curves (N,) over x (N,)."""
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]).tolist(),
        y=np.concatenate([high, low[::-1]]).tolist(),
        fill="toself",
        fillcolor=colour,
        opacity=VEIL,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        **more,
    )


def words(colour: str) -> dict[str, Any]:
    """Return the style of a label, with a halo over lines and areas."""
    edge = ", ".join([f"0 0 2px {PAPER}"] * 4)
    return {"font": {"family": MONO, "size": 12, "color": colour, "shadow": edge}}


def name_beside(figure: go.Figure, text: str, spot: Spot, box: Box, area: Area, colour: str, y_axis: str = "y") -> None:
    """Label a curve, with a leader line if the label is far from it."""
    x, y = area.values(spot.x, spot.y)
    away = max(abs(spot.dx) - box.width / 2, abs(spot.dy) - box.height / 2)
    at = {"x": x, "y": y, "yref": y_axis, "text": text, "align": "left", "xanchor": "center", "yanchor": "middle"}
    if away > FAR:
        line = {"showarrow": True, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": colour}
        figure.add_annotation(**at, ax=spot.dx, ay=spot.dy, **line, **words(colour))
    else:
        figure.add_annotation(**at, xshift=spot.dx, yshift=-spot.dy, showarrow=False, **words(colour))


def escaped(name: str) -> str:
    """Escape a name for plotly, which interprets some HTML."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
