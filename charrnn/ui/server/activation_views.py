"""Color ranges, row orders and named rows of the activations in the heatmap."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from charrnn.ui.server import row_order
from charrnn.ui.server.named_units import NamedUnits

GATES = frozenset("ifo" + "rz")  # 0..1
SQUASHED = frozenset("h" + "gn")  # -1..1
EQUIVALENT_GATES = {"f": "z", "z": "f", "g": "n", "n": "g"}  # of the same function in another cell
RANGE_MEDIANS = 3  # an unbounded range, in median magnitudes; only counting units of an LSTM often exceed it
RANGE_ENDS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)  # times a power of ten


@dataclass(frozen=True)
class ColorRange:
    """The values with full color. Values beyond an unbounded range are clipped to it."""

    low: float  # −high; 0 for a gate
    high: float
    change: float  # of the differences between characters: −change … change
    bounded: bool


@dataclass(frozen=True)
class HeatmapView:
    """Color range, row orders and named rows of one activation, equal for every text."""

    name: str
    rows: int
    scale: ColorRange
    orders: dict[str, list[int]]  # row orders: similarity, activity
    named: NamedUnits | None  # None if no saved analysis found any

    @classmethod
    def of(cls, name: str, values: np.ndarray, named: NamedUnits | None = None) -> "HeatmapView":
        """Build from the values (T, rows) of the model's sample text."""
        orders = {"similarity": row_order.by_similarity(values), "activity": row_order.by_activity(values)}
        return cls(name, values.shape[1], color_range(name, values), orders, named)

    def to_json(self) -> dict[str, Any]:
        """Return the view as the page reads it."""
        named = self.named and self.named.to_json()
        return {"name": self.name, "rows": self.rows, **asdict(self.scale), "orders": self.orders, "named": named}


def color_range(name: str, values: np.ndarray) -> ColorRange:
    """Return the range: fixed by the activation function, else from values (T, rows)."""
    most = float(np.abs(values).max(initial=0.0))
    if name in GATES and most <= 1 and float(values.min(initial=0.0)) >= 0:
        return ColorRange(0.0, 1.0, 1.0, bounded=True)
    if name in SQUASHED and most <= 1:  # an edited cell may exceed 1
        return ColorRange(-1.0, 1.0, 2.0, bounded=True)
    steps = np.diff(values, axis=0) if len(values) > 1 else values
    high, change = (ceil_nice(RANGE_MEDIANS * float(np.median(np.abs(some)))) for some in (values, steps))
    return ColorRange(-high, high, change, bounded=False)


def ceil_nice(value: float) -> float:
    """Round up to one of RANGE_ENDS times a power of ten, at least 0.001."""
    value = max(value, 1e-3)
    power = 10.0 ** math.floor(math.log10(value))
    end = next(end for end in RANGE_ENDS if value <= end * power * (1 + 1e-9))
    return float(f"{end * power:.2g}")


def nearest_view(names: Sequence[str], requested: str) -> str:
    """Return the requested activation, its equivalent in this cell, or the first one."""
    return next((name for name in (requested, EQUIVALENT_GATES.get(requested, "")) if name in names), names[0])
