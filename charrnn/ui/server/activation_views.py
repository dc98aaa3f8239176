"""What of a model the heatmap can show, on which scale, and in which order of its rows."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from charrnn.ui.server import row_order

GATES = frozenset("ifo" + "rz")  # 0..1
SQUASHED = frozenset("h" + "gn")  # -1..1
KIN = {"f": "z", "z": "f", "g": "n", "n": "g"}  # what has the same task in another cell: what is kept, the candidate
REACH = 3  # times the median size: few values lie beyond, or the many units of an LSTM that only count
STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)  # what such a scale ends at, times a power of ten


@dataclass(frozen=True)
class Scale:
    """Which values take the full colours. Where it is not bounded, values beyond it take them too."""

    low: float  # −high; 0 of a gate
    high: float
    change: float  # of what one character changed: −change … change
    bounded: bool


@dataclass(frozen=True)
class Display:
    """How the heatmap shows what a model has under one name: alike for every text, so that colours can be compared."""

    name: str
    rows: int
    scale: Scale
    orders: dict[str, list[int]]  # of the rows: similarity, activity

    @classmethod
    def of(cls, name: str, values: np.ndarray) -> "Display":
        """From the values (T, rows) that a text of the model's own left behind."""
        orders = {"similarity": row_order.by_similarity(values), "activity": row_order.by_activity(values)}
        return cls(name, values.shape[1], scale_of(name, values), orders)

    def told(self) -> dict[str, Any]:
        """The part of a message that says how to draw the columns in it."""
        return {"name": self.name, "rows": self.rows, **asdict(self.scale), "orders": self.orders}


def scale_of(name: str, values: np.ndarray) -> Scale:
    """The scale of what has this name: fixed where an activation function bounds it, else from values (T, rows)."""
    most = float(np.abs(values).max(initial=0.0))
    if name in GATES and most <= 1 and float(values.min(initial=0.0)) >= 0:
        return Scale(0.0, 1.0, 1.0, bounded=True)
    if name in SQUASHED and most <= 1:  # an edited cell need not keep to it
        return Scale(-1.0, 1.0, 2.0, bounded=True)
    steps = np.diff(values, axis=0) if len(values) > 1 else values
    high, change = (rounded_up(REACH * float(np.median(np.abs(sizes)))) for sizes in (values, steps))
    return Scale(-high, high, change, bounded=False)


def rounded_up(value: float) -> float:
    """The next end of a scale: 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6 or 8 times a power of ten; 0 has the smallest, 0.001."""
    value = max(value, 1e-3)
    power = 10.0 ** math.floor(math.log10(value))
    step = next(step for step in STEPS if value <= step * power * (1 + 1e-9))
    return float(f"{step * power:.2g}")


def nearest(names: Sequence[str], asked: str) -> str:
    """What a model with these names shows to someone who asked for that: the same, its kin, or the first."""
    return next((name for name in (asked, KIN.get(asked, "")) if name in names), names[0])
