"""Activations that the heatmap can show, their color ranges and row orders."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from charrnn.ui.server import row_order

GATES = frozenset("ifo" + "rz")  # 0..1
SQUASHED = frozenset("h" + "gn")  # -1..1
EQUIVALENT_GATES = {
    "f": "z",
    "z": "f",
    "g": "n",
    "n": "g",
}  # same function in another cell
REACH = 3  # times the median size; few values lie beyond, except of the counting units of an LSTM
STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)  # range ends, times a power of ten


@dataclass(frozen=True)
class ColorRange:
    """The values with full color. Values beyond an unbounded range are clipped to it."""

    low: float  # −high; 0 for a gate
    high: float
    change: float  # of the differences between characters: −change … change
    bounded: bool


@dataclass(frozen=True)
class HeatmapView:
    """Color range and row orders of one activation, the same for every text."""

    name: str
    rows: int
    scale: ColorRange
    orders: dict[str, list[int]]  # row orders: similarity, activity

    @classmethod
    def of(cls, name: str, values: np.ndarray) -> "HeatmapView":
        """Build from the values (T, rows) of the model's sample text."""
        orders = {"similarity": row_order.by_similarity(values), "activity": row_order.by_activity(values)}
        return cls(name, values.shape[1], color_range(name, values), orders)

    def to_json(self) -> dict[str, Any]:
        """Return the part of a message that describes how to draw the columns."""
        return {"name": self.name, "rows": self.rows, **asdict(self.scale), "orders": self.orders}


def color_range(name: str, values: np.ndarray) -> ColorRange:
    """Return the range: fixed by the activation function, else from values (T, rows)."""
    most = float(np.abs(values).max(initial=0.0))
    if name in GATES and most <= 1 and float(values.min(initial=0.0)) >= 0:
        return ColorRange(0.0, 1.0, 1.0, bounded=True)
    if name in SQUASHED and most <= 1:  # an edited cell may exceed 1
        return ColorRange(-1.0, 1.0, 2.0, bounded=True)
    steps = np.diff(values, axis=0) if len(values) > 1 else values
    high, change = (ceil_nice(REACH * float(np.median(np.abs(sizes)))) for sizes in (values, steps))
    return ColorRange(-high, high, change, bounded=False)


def ceil_nice(value: float) -> float:
    """Round up to a range end.

    Range ends are 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6 or 8 times a power of ten. 0 returns 0.001.
    """
    value = max(value, 1e-3)
    power = 10.0 ** math.floor(math.log10(value))
    step = next(step for step in STEPS if value <= step * power * (1 + 1e-9))
    return float(f"{step * power:.2g}")


def nearest_view(names: Sequence[str], requested: str) -> str:
    """Return the requested activation, its equivalent in this cell, or the first one."""
    return next((name for name in (requested, EQUIVALENT_GATES.get(requested, "")) if name in names), names[0])
