"""
Time per part of a training step, and cost by window length.

From the record of `scripts/bench.py profile`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from charrnn.figures.axes import (
    LETTER_WIDTH,
    LOG_TICKS,
    NARROW,
    CurveEnd,
    axis,
    escaped,
    frame,
    label_ends,
    note,
)
from charrnn.figures.palette import AREA_OPACITY, BLUE, INK, MODELS, MONO, ORANGE, PAPER, QUIET, mixed, strokes
from charrnn.number_format import percent

BAR, ROW = 20, 38  # pixels: height of a bar; of a bar with its name
MARGIN = {"l": 10, "r": 24, "t": 16, "b": 40}
COST_HEIGHT = 320
COST_MARGIN = {"l": 62, "t": 14, "b": 48}
LOOP = "loop over T"
HATCHED = {"shape": "/", "size": 7, "solidity": 0.15}


def profile_figure(record: Mapping[str, Any], width: int = 900) -> go.Figure:
    """
    Draw the time of a step as one bar per network, divided into its parts.

    record: {"parts": [part, …], "rows": [{"name", "median_ms", "loop_share", "parts": {part: ms}}, …]}.
    Backward parts are hatched; a part is labeled with its share of the step if there is room. width: pixels.
    """
    figure, rows = go.Figure(), record["rows"]
    inner = width - MARGIN["l"] - MARGIN["r"]
    totals = [sum(row["parts"].values()) for row in rows]
    longest = max(totals, default=1.0)
    positions = list(range(len(rows)))
    for part in record["parts"]:
        shares = [row["parts"].get(part, 0.0) / total for row, total in zip(rows, totals, strict=True)]
        is_loop = part.endswith(LOOP)
        color = _color(part) if is_loop else mixed(_color(part), 2 * AREA_OPACITY)
        figure.add_bar(
            x=[row["parts"].get(part) for row in rows],
            y=positions,
            orientation="h",
            width=BAR / ROW,
            name=escaped(part),
            marker={
                "color": color,
                "line": {"color": PAPER, "width": 1},
                "pattern": {**HATCHED, "fgcolor": INK if is_loop else PAPER, "bgcolor": color}
                if part.startswith("backward")
                else {},
            },
            text=[_inside(part, share, inner * total / longest) for share, total in zip(shares, totals, strict=True)],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            cliponaxis=True,
            constraintext="none",
            textfont={"family": MONO, "size": 11, "color": PAPER if is_loop else INK},
            customdata=[[escaped(row["name"]), 100 * share] for row, share in zip(rows, shares, strict=True)],
            hovertemplate="%{customdata[0]}<br>"
            + escaped(part)
            + ": %{x:.2f} ms, %{customdata[1]:.1f} %<extra></extra>",
        )
    for position, row in zip(positions, rows, strict=True):
        text = f"<b>{escaped(row['name'])}</b> {_ms(row['median_ms'])}"
        note(figure, text, 0, position, "bottom left", yshift=BAR / 2)
    frame(
        figure,
        MARGIN,
        barmode="stack",
        height=ROW * len(rows) + MARGIN["t"] + MARGIN["b"],
        xaxis=axis("milliseconds of a training step", range=[0, longest], showgrid=False),
        yaxis=axis(range=[len(rows) - 0.5, -0.6], visible=False),
    )
    return figure


def describe_profile(record: Mapping[str, Any]) -> str:
    """Compare the fastest network with a loop over T with the one without a loop."""
    looping = [row for row in record["rows"] if row["loop_share"]]
    parallel = next((row for row in record["rows"] if not row["loop_share"]), None)
    if not looping:
        return ""
    fastest = min(looping, key=lambda row: row["median_ms"])
    low, high = (choose(row["loop_share"] for row in looping) for choose in (min, max))
    span = percent(low) if len(looping) == 1 else f"{percent(low)} to {percent(high)}"
    loop = f"{span} of a recurrent step is the loop over T: each character waits for the one before it"
    if parallel is None:
        return f"{fastest['name']} takes {_ms(fastest['median_ms'])} a step. {loop}."
    ratio, threads = parallel["median_ms"] / fastest["median_ms"], record["machine"]["threads"]
    one, other = (f"{_ms(row['median_ms'])} with {row['name']}" for row in (fastest, parallel))
    compared = f"{ratio:.0f} times as long" if ratio >= 1.5 else f"{ratio:.2f} times as long"
    return (
        f"A step takes {one} and {other}, {compared} on {threads} thread{'s' if threads > 1 else ''}. But {loop}. "
        f"{parallel['name']} has no such loop, it computes all characters at once: hardware with thousands of parallel "
        "lanes, a GPU, can use that; a few threads cannot."
    )


def step_cost_figure(record: Mapping[str, Any], width: int = 900) -> go.Figure:
    """
    Draw the cost of a step for longer windows and smaller batches, log-log.

    record: {"against_T": [{"name", "seq_len": [T, …], "median_ms": [ms, …]}, …]}. width: pixels.
    """
    figure, lines = go.Figure(), record["against_T"]
    stroke_of = strokes([line["name"] for line in lines])
    lengths = sorted({T for line in lines for T in line["seq_len"]}) or [1]
    times = [ms for line in lines for ms in line["median_ms"]] or [1.0]
    low, high = math.log10(min(times)) - 0.1, math.log10(max(times)) + 0.1
    for line in lines:
        stroke = stroke_of[line["name"]]
        figure.add_scatter(
            x=list(line["seq_len"]),
            y=list(line["median_ms"]),
            mode="lines+markers",
            name=escaped(line["name"]),
            line={"color": stroke.color, "dash": stroke.dash, "width": 2.4},
            marker={"color": stroke.color, "size": 6},
            hovertemplate=escaped(line["name"]) + ", T = %{x}: %{y:.1f} ms<extra></extra>",
        )
    height = COST_HEIGHT - COST_MARGIN["t"] - COST_MARGIN["b"]
    ends = [
        CurveEnd(
            f"<b>{escaped(line['name'])}</b>",
            stroke_of[line["name"]].color,
            math.log10(line["seq_len"][-1]),
            math.log10(line["median_ms"][-1]),
            18,
        )
        for line in lines
    ]
    label_ends(figure, ends, (low, high), height)
    longest = max((len(line["name"]) for line in lines), default=0)
    ticks = {"tickvals": lengths, "ticktext": [str(T) for T in lengths]}
    frame(
        figure,
        COST_MARGIN | {"r": LETTER_WIDTH * longest + 26},
        height=COST_HEIGHT,
        xaxis=axis("T, characters in a window", type="log", range=_ends(lengths), showgrid=False, **ticks),
        yaxis=axis(
            "ms a step" if width < NARROW else "milliseconds a step",
            range=[low, high],
            **LOG_TICKS,
        ),
    )
    return figure


def describe_step_cost(record: Mapping[str, Any]) -> str:
    """State how much slower each network is with the longest windows."""
    lines = record["against_T"]
    if not lines:
        return ""
    lengths = lines[0]["seq_len"]
    slower = ", ".join(f"{line['name']} {line['median_ms'][-1] / line['median_ms'][0]:.1f}×" for line in lines)
    return f"From {lengths[0]} to {lengths[-1]} characters in a window a step gets slower by: {slower}."


def _ends(lengths: Sequence[int]) -> list[float]:
    return [math.log10(lengths[0]) - 0.05, math.log10(lengths[-1])]


def _color(part: str) -> str:
    if part.endswith(LOOP):
        return BLUE
    if part.endswith("blocks"):
        return MODELS[3]  # as MiniGPT's line
    return ORANGE if part == "input product" else QUIET


def _inside(part: str, share: float, width: float) -> str:
    """Return the text on a part of a bar: name and share, only the share, or ""."""
    for text in (f"{part} {percent(share)}", percent(share)):
        if (len(text) + 1) * LETTER_WIDTH * 11 / 12 <= share * width:
            return escaped(text)
    return ""


def _ms(ms: float) -> str:
    return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"
