"""Surprisal difference of two models by character class and context."""

from collections.abc import Sequence

import plotly.graph_objects as go

from charrnn.figures.axes import NARROW, axis, escaped, frame, note, panel_title
from charrnn.figures.palette import BLUE, INK, ORANGE, QUIET
from charrnn.ranges import signed
from charrnn.surprisal import GroupMean

BAR, ROW = 12, 34  # pixels: height of a bar; of a bar with its name
MARGIN = {"l": 10, "r": 16, "t": 34, "b": 46}
BETWEEN = 74  # pixels between two panels
FEW = 30  # characters: a mean of fewer is drawn pale, and named as one
PALE = 0.3
TITLES = ("by kind of character", "by length of context: the position in the text")


def delta_bits_figure(panels: Sequence[Sequence[GroupMean]], width: int = 900) -> go.Figure:
    """
    Draw bars by class and by context in two panels on one scale.

    Positive: B predicts better. Bars show name, value and number of characters, whiskers the 95 % interval. width:
    pixels.
    """
    figure = go.Figure()
    ends = [
        group.delta_bits + sign * (group.margin_bits or 0) for groups in panels for group in groups for sign in (-1, 1)
    ]
    low, high = min(0.0, *ends), max(0.0, *ends)
    room = 0.04 * (high - low) or 0.1
    heights = [ROW * len(groups) for groups in panels]
    inner = sum(heights) + BETWEEN * (len(panels) - 1)
    axes, top = {}, 1.0
    for i, (panel, title) in enumerate(zip(panels, TITLES, strict=True)):
        number, bottom = str(i + 1) if i else "", top - heights[i] / inner
        _bars(figure, panel, number)
        panel_title(figure, title, top, 10)
        name = (
            "Δ bits (right of 0: B better)" if width < NARROW else "Δ bits a character (right of 0: B predicts better)"
        )
        zero = {"zeroline": True, "zerolinecolor": QUIET, "zerolinewidth": 1}
        x_axis = axis(name, range=[low - room, high + room], anchor=f"y{number}", nticks=7)
        y_axis = axis(range=[len(panel) - 0.6, -0.6], visible=False, domain=(max(0.0, bottom), top))
        axes |= {f"xaxis{number}": x_axis | zero, f"yaxis{number}": y_axis | {"anchor": f"x{number}"}}
        top = bottom - BETWEEN / inner
    frame(figure, MARGIN, height=inner + MARGIN["t"] + MARGIN["b"], **axes)
    return figure


def _bars(figure: go.Figure, groups: Sequence[GroupMean], number: str) -> None:
    """Draw the bars of one panel with their labels."""
    figure.add_bar(
        x=[group.delta_bits for group in groups],
        y=list(range(len(groups))),
        orientation="h",
        width=BAR / ROW,
        xaxis=f"x{number}",
        yaxis=f"y{number}",
        name=TITLES[1 if number else 0],
        marker={
            "color": [ORANGE if group.delta_bits > 0 else BLUE for group in groups],
            "opacity": [PALE if group.characters < FEW else 1 for group in groups],
        },
        error_x={"array": [g.margin_bits or 0 for g in groups], "color": QUIET, "thickness": 1.2, "width": 3},
        customdata=[[escaped(g.name), g.characters, g.a_bits, g.b_bits] for g in groups],
        hovertemplate="%{customdata[0]}, %{customdata[1]:,} characters<br>A %{customdata[2]:.3f} bits, "
        "B %{customdata[3]:.3f}<br>Δ = %{x:+.3f}<extra></extra>",
    )
    for position, group in enumerate(groups):
        text = f"<b>{escaped(group.name)}</b> {signed(group.delta_bits)} · {_n(group)}"
        axes = {"xref": f"x{number} domain", "yref": f"y{number}", "yshift": BAR / 2}
        note(figure, text, 0, position, "bottom left", font={"size": 11.5, "color": INK}, **axes)


def describe_delta_bits(panels: Sequence[Sequence[GroupMean]]) -> str:
    """Describe each panel in a sentence."""
    sentences = []
    for title, groups in zip(TITLES, panels, strict=True):
        differences = "; ".join(f"{group.name} {signed(group.delta_bits)} ({_n(group)})" for group in groups)
        sentences.append(f"Δ bits {title}: {differences}.")
    return " ".join(sentences)


def _n(group: GroupMean) -> str:
    count = "1 character" if group.characters == 1 else f"{group.characters:,} characters"
    return f"{count}, too few" if group.characters < FEW else count
