"""Scoreboard: bits per character against the number of weights."""

import math
from collections.abc import Sequence
from itertools import cycle
from typing import Any, NamedTuple

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
    padded,
)
from charrnn.figures.palette import INK, QUIET
from charrnn.seed_means import counted

HEIGHT = 400
MARGIN = {"l": 62, "t": 14, "b": 48}
MARKER = 11  # pixels
SYMBOLS = ("circle", "square", "triangle-up", "triangle-down", "diamond", "cross", "x", "star", "hexagon", "pentagon")
PUBLISHED_SYMBOLS = ("diamond-open", "square-open", "triangle-up-open", "circle-open", "pentagon-open", "star-open")
LEGEND_ROW = 20  # pixels, of two entries


class Score(NamedTuple):
    """A result: weights, and bits per character as the mean of its runs."""

    title: str
    weights: int
    bits: float
    color: str = QUIET  # of a published result
    runs: int = 1
    margin: float = 0.0  # half the interval, in bits

    @property
    def measured(self) -> str:
        """The bits and, unless published, the number of runs, as text."""
        of = "" if self.is_published else f" ({counted(self.runs)})"
        return f"{self.bits:.3f}{of}"

    @property
    def is_published(self) -> bool:
        """Whether others published this result."""
        return self.color == QUIET


def scoreboard_figure(scores: Sequence[Score], ngram: tuple[str, float] | None, width: int = 900) -> go.Figure:
    """
    Plot bits per character against the number of weights.

    ngram: title and bits of the n-gram model, drawn as a line. width: pixels.
    """
    figure = go.Figure()
    narrow = width < NARROW
    right = (
        14 if narrow else LETTER_WIDTH * max((len(score.title + score.measured) for score in scores), default=0) + 32
    )
    bits = [end for score in scores for end in (score.bits - score.margin, score.bits + score.margin)]
    bits += [ngram[1]] if ngram else []
    low, high = padded(min(bits, default=0.0), max(bits, default=1.0))
    first, last = padded(*(math.log10(f(score.weights for score in scores)) for f in (min, max)))
    symbols, published = cycle(SYMBOLS), cycle(PUBLISHED_SYMBOLS)
    for score in scores:
        figure.add_scatter(
            x=[score.weights],
            y=[score.bits],
            mode="markers",
            name=escaped(score.title),
            error_y={"array": [score.margin], "color": score.color, "thickness": 1.4, "width": 5}
            if score.margin
            else None,
            marker={
                "size": MARKER,
                "color": score.color,
                "symbol": next(published if score.is_published else symbols),
                "line": {"width": 1.6, "color": score.color},
            },
            hovertemplate=f"{escaped(score.title)}<br>%{{x:,}} weights, {_hover(score)}<extra></extra>",
        )
    if ngram:
        line = {"color": INK, "width": 1.2, "dash": "5px,4px"}
        figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=ngram[1], y1=ngram[1], line=line)
        text = f"{escaped(ngram[0])}{'' if narrow else ' (no neural network)'} <b>{ngram[1]:.3f}</b>"
        note(figure, text, 0, ngram[1], "bottom left", xref="paper", xshift=4)
    if not narrow:
        pixels = (width - MARGIN["l"] - right) / (last - first)
        ends = [
            CurveEnd(
                text=f"<b>{escaped(score.title)}</b> {score.measured}",
                color=INK if score.is_published else score.color,
                x=math.log10(score.weights),
                y=score.bits,
                dx=(last - math.log10(score.weights)) * pixels + 18,
            )
            for score in scores
        ]
        label_ends(figure, ends, (low, high), HEIGHT - MARGIN["t"] - MARGIN["b"])
    axes: dict[str, Any] = {
        "xaxis": axis("weights", range=[first, last], **LOG_TICKS | _weight_ticks()),
        "yaxis": axis("bits per character (lower is better)", range=[low, high]),
    }
    height = HEIGHT + LEGEND_ROW * math.ceil(len(scores) / 2) if narrow else HEIGHT
    frame(figure, MARGIN | {"r": right}, legend_y=1 if narrow else None, height=height, **axes)
    return figure


def _hover(score: Score) -> str:
    margin = f" ± {score.margin:.3f}" if score.margin else ""
    return f"{score.bits:.3f}{margin} bits" + ("" if score.is_published else f", {counted(score.runs)}")


def describe_scores(scores: Sequence[Score], ngram: tuple[str, float] | None) -> str:
    """State the best network, and those that do not beat the n-gram model."""
    own = sorted((score for score in scores if not score.is_published), key=lambda score: score.bits)
    if not own:
        return ""
    text = f"{own[0].title} predicts best: {own[0].bits:.3f} bits per character."
    if ngram is None:
        return text
    name, bits = ngram
    above = [score for score in own if score.bits >= bits]
    if not above:
        subject = f"All {len(own)} networks beat" if len(own) > 1 else "It beats"
        return f"{text} {subject} {name} ({bits:.3f})."
    named = f"{above[0].title} ({above[0].bits:.3f})"
    others = f" and {len(above) - 1} more" if len(above) > 1 else ""
    does = "do" if len(above) > 1 else "does"
    return (
        f"{text} {len(own) - len(above)} of {len(own)} networks beat {name} ({bits:.3f}); {named}{others} {does} not."
    )


def _weight_ticks() -> dict[str, Any]:
    values = [digit * 10**power for power in range(1, 11) for digit in (1, 2, 5)]
    names = [
        f"{value // 10**6} M" if value >= 10**6 else f"{value // 1000} k" if value >= 1000 else f"{value}"
        for value in values
    ]
    return {"tickvals": values, "ticktext": names}
