"""Histogram of a unit's activation, and gate saturation by unit."""

from collections.abc import Callable, Sequence

import numpy as np
import plotly.graph_objects as go

from charrnn.figures.axes import axis, frame, note
from charrnn.figures.palette import BLUE, INK, LINE, ORANGE
from charrnn.neurons import Saturation
from charrnn.number_format import percent

BINS = 48
MARGIN = {"l": 54, "r": 10, "t": 10, "b": 42}
MOST_OF_TIME = 0.9


def unit_histogram(values: np.ndarray, ends: tuple[float, float] | None = None, width: int = 600) -> go.Figure:
    """Draw the histogram of a unit's values (N,); ends: its range, if bounded."""
    counts, edges = np.histogram(values, bins=BINS, range=ends)
    middles = (edges[:-1] + edges[1:]) / 2
    figure = go.Figure()
    figure.add_bar(
        x=middles.tolist(),
        y=counts.tolist(),
        marker={"color": [ORANGE if middle > 0 else BLUE for middle in middles]},
        hovertemplate="around %{x:.2f}: %{y:,} characters<extra></extra>",
    )
    frame(
        figure,
        MARGIN,
        bargap=0.08,
        xaxis=axis("value of the unit", nticks=9),
        yaxis=axis("characters" if width > 300 else "", nticks=5),
    )
    return figure


def describe_unit_values(values: np.ndarray) -> str:
    """Describe the histogram in a sentence."""
    low, first, median, third, high = np.percentile(values, [0, 25, 50, 75, 100])
    return (
        f"Activation of the unit at {len(values):,} characters: from {low:.2f} to {high:.2f}, half of the time between "
        f"{first:.2f} and {third:.2f}, median {median:.2f}."
    )


def saturation_figure(gates: Sequence[Saturation], width: int = 900) -> go.Figure:
    """
    Draw share of time open against share shut, one panel per gate.

    One point per unit; on the diagonal it is always one or the other. Karpathy et al. 2015, figure 3.
    """
    figure = go.Figure()
    columns = len(gates) if width >= 520 else 1
    rows = -(-len(gates) // columns)
    gap_x, gap_y = 0.07, 0.16
    panel_width, panel_height = (1 - gap_x * (columns - 1)) / columns, (1 - gap_y * (rows - 1)) / rows
    axes = {}
    for i, gate in enumerate(gates):
        number = str(i + 1) if i else ""
        row, column = divmod(i, columns)
        left, top = column * (panel_width + gap_x), 1 - row * (panel_height + gap_y)
        figure.add_scatter(
            x=[0, 1],
            y=[1, 0],
            mode="lines",
            line={"color": LINE, "width": 1},
            hoverinfo="skip",
            xaxis=f"x{number}",
            yaxis=f"y{number}",
        )
        figure.add_scatter(
            x=gate.shut.tolist(),
            y=gate.open.tolist(),
            mode="markers",
            marker={"color": BLUE, "size": 5, "opacity": 0.6},
            customdata=list(range(len(gate.shut))),
            hovertemplate="unit %{customdata}: shut %{x:.0%}, open %{y:.0%} of the time<extra></extra>",
            name=gate.gate,
            xaxis=f"x{number}",
            yaxis=f"y{number}",
        )
        style = {"xref": f"x{number} domain", "yref": f"y{number} domain", "font": {"size": 13, "color": INK}}
        note(figure, f"<b>{gate.gate}</b>", 1, 1, "top right", **style)
        share = {"range": [-0.03, 1.03], "tickformat": ".0%", "nticks": 5}
        across, up = "shut (< 0.1)" if row == rows - 1 else "", "open (> 0.9)" if not column else ""
        axes[f"xaxis{number}"] = axis(across, domain=[left, left + panel_width], anchor=f"y{number}", **share)
        axes[f"yaxis{number}"] = axis(up, domain=[max(0.0, top - panel_height), top], anchor=f"x{number}", **share)
    frame(figure, MARGIN, height=60 + 250 * rows, **axes)
    return figure


def describe_saturation(gates: Sequence[Saturation], named: Callable[[str], str] = str) -> str:
    """Describe each panel in a sentence."""
    sentences = []
    for gate in gates:
        settled = int(((gate.shut > MOST_OF_TIME) | (gate.open > MOST_OF_TIME)).sum())
        name = named(gate.gate)
        count = f"{settled} of {len(gate.shut)} units are" if settled else "no unit is"
        shut, opened = (percent(float(shares.mean())) for shares in (gate.shut, gate.open))
        sentences.append(
            f"{name[0].upper()}{name[1:]}: shut {shut} and open {opened} of the time; "
            f"{count} almost always open or almost always shut (over {percent(MOST_OF_TIME)})."
        )
    return " ".join(sentences)
