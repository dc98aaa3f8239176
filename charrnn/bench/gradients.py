"""
What the gradient-flow curve costs as it grows: with the lags, and with the positions.

The text that is read is the same in every turn. A line of least squares through the medians says what one lag, or one
position, adds, and how far the medians lie from it: where the cost is linear, hardly.
"""

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from charrnn.gradient_flow import gradient_flow
from charrnn.model import CharRNN
from charrnn.profiling import take_turns
from charrnn.text_tables import columns

SHARES = (0.25, 0.5, 0.75, 1.0)  # of the lags and of the positions asked for


def growing(model: CharRNN, ids: Sequence[int], options: argparse.Namespace) -> list[dict[str, Any]]:
    """A line of figures for the lags and one for the positions: sizes, medians in ms, and the straight line."""
    sizes = {
        "lags": [(max(1, round(share * options.lags)), options.positions) for share in SHARES],
        "positions": [(options.lags, max(1, round(share * options.positions))) for share in SHARES],
    }
    pairs = dict.fromkeys(pair for several in sizes.values() for pair in several)
    turns = take_turns(
        {str(pair): lambda pair=pair: gradient_flow(model, ids, max_lag=pair[0], positions=pair[1]) for pair in pairs},
        options.rounds,
    )
    median_ms = {name: statistics.median(times) for name, times in turns.items()}
    lines = []
    for which, several in sizes.items():
        numbers = [pair[0] if which == "lags" else pair[1] for pair in several]
        lines.append({"grows": which, **line(numbers, [median_ms[str(pair)] for pair in several])})
    return lines


def line(numbers: Sequence[int], median_ms: Sequence[float]) -> dict[str, Any]:
    """The medians and the straight line through them."""
    slope, start = np.polyfit(numbers, median_ms, 1) if len(set(numbers)) > 1 else (0.0, median_ms[0])
    off = max(abs(start + slope * n - ms) / ms for n, ms in zip(numbers, median_ms, strict=True))
    figures = {"start_ms": float(start), "ms_each": float(slope), "largest_deviation": float(off)}
    return {"numbers": list(numbers), "median_ms": list(median_ms), **figures}


def table(lines: Sequence[dict[str, Any]]) -> str:
    """The lines for a reader."""
    heads = ["median ms", *(f"{share:.0%}" for share in SHARES), "ms each", "off the line"]
    body = [
        [
            f"{each['grows']} ({', '.join(map(str, each['numbers']))})",
            *(f"{ms:.1f}" for ms in each["median_ms"]),
            f"{each['ms_each']:.3f}",
            f"{each['largest_deviation']:.0%}",
        ]
        for each in lines
    ]
    return columns(heads, body)
