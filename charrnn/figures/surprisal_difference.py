"""Surprisal difference of two models by character class."""

from collections.abc import Sequence

import plotly.graph_objects as go

from charrnn.figures.axes import NARROW, axis, escaped, frame, note, padded
from charrnn.figures.palette import BLUE, INK, ORANGE, QUIET
from charrnn.number_format import signed
from charrnn.surprisal import GroupMean

BAR, ROW = 12, 38  # pixels: height of a bar; of a bar with its name
MARGIN = {"l": 10, "r": 16, "t": 8, "b": 46}
FEW = 30  # characters: a mean of fewer is drawn pale, and named as one
PALE = 0.3
COUNTED = 330  # pixels: a narrower figure leaves out the numbers of characters


def delta_bits_figure(groups: Sequence[GroupMean], width: int = 900) -> go.Figure:
    """
    Draw a bar for each class of characters.

    Positive: B predicts better. Bars show name, value and number of characters, whiskers the 95 % interval. width:
    pixels.
    """
    figure = go.Figure()
    ends = [group.delta_bits + sign * (group.margin_bits or 0) for group in groups for sign in (-1, 1)]
    limits = padded(min(0.0, *ends), max(0.0, *ends))
    figure.add_bar(
        x=[group.delta_bits for group in groups],
        y=list(range(len(groups))),
        orientation="h",
        width=BAR / ROW,
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
        has_room = width >= COUNTED or group.characters < FEW
        text = f"<b>{escaped(group.name)}</b> {signed(group.delta_bits)}{f' · {_n(group)}' if has_room else ''}"
        note(
            figure, text, 0, position, "bottom left", font={"size": 11.5, "color": INK}, xref="x domain", yshift=BAR / 2
        )
    title = (
        "Δ bits, this text (right: B better)"
        if width < NARROW
        else "Δ bits per character on this text (right: B predicts better)"
    )
    zero = {"zeroline": True, "zerolinecolor": QUIET, "zerolinewidth": 1}
    x_axis = axis(title, range=list(limits), nticks=7) | zero
    y_axis = axis(range=[len(groups) - 0.6, -0.6], visible=False)
    frame(figure, MARGIN, height=ROW * len(groups) + MARGIN["t"] + MARGIN["b"], xaxis=x_axis, yaxis=y_axis)
    return figure


def describe_delta_bits(groups: Sequence[GroupMean]) -> str:
    """Describe the bars in a sentence."""
    differences = "; ".join(f"{group.name} {signed(group.delta_bits)} ({_n(group)})" for group in groups)
    return f"Δ bits on this text by kind of character: {differences}."


def _n(group: GroupMean) -> str:
    count = "1 character" if group.characters == 1 else f"{group.characters:,} characters"
    return f"{count}, too few" if group.characters < FEW else count
