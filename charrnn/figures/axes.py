"""What the figures have in common: axes, no legend, no box, names in the colour of their curves."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from charrnn.figures.label_placement import FAR, Area, Box, Spot
from charrnn.figures.palette import INK, LINE, MONO, PAPER, QUIET, SANS

NARROW = 560  # pixels: a telephone, where names are short and ticks few
TICKS = 11  # pixels
LOG_TICKS = {
    "type": "log",
    "tickvals": [digit * 10.0**power for power in range(-9, 10) for digit in (1, 2, 5)],
    "ticktext": [f"{digit * 10.0**power:g}" for power in range(-9, 10) for digit in (1, 2, 5)],
}


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis; plotly draws the powers of a log axis 1.25 times as large as it is told."""
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
    """Everything around the curves, as a whole: plotly takes five times as long to merge it with what is there."""
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


def words(colour: str) -> dict[str, Any]:
    """The style of a name: its letters have an edge of paper, so that lines and areas behind them do no harm."""
    edge = ", ".join([f"0 0 2px {PAPER}"] * 4)
    return {"font": {"family": MONO, "size": 12, "color": colour, "shadow": edge}}


def name_beside(figure: go.Figure, text: str, spot: Spot, box: Box, area: Area, colour: str, y_axis: str = "y") -> None:
    """A name beside its curve, with a thin line to it where it stands far off."""
    x, y = area.values(spot.x, spot.y)
    away = max(abs(spot.dx) - box.width / 2, abs(spot.dy) - box.height / 2)
    at = {"x": x, "y": y, "yref": y_axis, "text": text, "align": "left", "xanchor": "center", "yanchor": "middle"}
    if away > FAR:
        line = {"showarrow": True, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": colour}
        figure.add_annotation(**at, ax=spot.dx, ay=spot.dy, **line, **words(colour))
    else:
        figure.add_annotation(**at, xshift=spot.dx, yshift=-spot.dy, showarrow=False, **words(colour))


def escaped(name: str) -> str:
    """A name as plotly draws it: it knows some HTML, and a folder may be called anything."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
