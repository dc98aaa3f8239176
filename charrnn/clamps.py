"""
Clamps: fix a unit of a network at a value to measure its effect.

A clamp acts at every character read while it is set, including the first. Everything computed later sees the clamped
value:

- `h` (vanilla, GRU, LSTM): h' is replaced after it is computed. The logits and the next step see it; c' is unchanged.
- `c` (LSTM): c' is replaced after it is computed. h' = o tanh(c') and the next step see it; with layer norm so does
  every unit of h'.
- a gate (`i`, `f`, `g`, `o`; `r`, `z`, `n`): replaced after its activation function; c', h' and (for r) the candidate
  n are computed from it.
- `embedding`, `layer 1`, … (MiniGPT): the residual stream there; all later blocks and the logits see it.

The state before the first character is not changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from charrnn.ranges import Range

SIGMOIDS, TANHS = frozenset("ifo" + "rz"), frozenset("gn")  # gates, by activation function
MAX_VALUE = 1e6  # for values without a bound of their own
MAX_CLAMPS = 4096  # clamps at once


@dataclass(frozen=True)
class Clamp:
    """A unit of a named tensor fixed at a value; unit None: all units."""

    name: str
    unit: int | None
    value: float

    def __str__(self) -> str:
        return f"{self.name} of {'every unit' if self.unit is None else f'unit {self.unit}'} = {self.value:g}"


def limits(name: str) -> tuple[float, float]:
    """Return the range of values that a named tensor can have."""
    if name in SIGMOIDS:
        return 0.0, 1.0
    return (-1.0, 1.0) if name == "h" or name in TANHS else (-MAX_VALUE, MAX_VALUE)


class ClampSet:
    """
    Clamps checked against a network, by name; the last clamp of a unit counts.

    units: the number of units of each name that can be clamped. Raises ValueError for an unknown name, a unit out of
    range or a value out of the limits.
    """

    def __init__(self, clamps: Sequence[Clamp], units: Mapping[str, int]):
        if len(clamps) > MAX_CLAMPS:
            raise ValueError(f"there are {len(clamps)} clamps: give at most {MAX_CLAMPS}")
        self._by_name: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # mask and values, (units,) each
        for clamp in clamps:
            _require(clamp, units)
            size = units[clamp.name]
            mask, values = self._by_name.setdefault(clamp.name, (np.zeros(size, dtype=bool), np.zeros(size)))
            units_of_clamp = slice(None) if clamp.unit is None else clamp.unit
            mask[units_of_clamp], values[units_of_clamp] = True, clamp.value

    def __call__(self, name: str, x: np.ndarray) -> np.ndarray:
        """Return x (..., units) with the clamps of `name` applied."""
        return np.where(*self._by_name[name], x) if name in self._by_name else x


def _require(clamp: Clamp, units: Mapping[str, int]) -> None:
    if clamp.name not in units:
        raise ValueError(f"{clamp.name!r} cannot be clamped here: give one of {', '.join(units)}")
    size, (low, high) = units[clamp.name], limits(clamp.name)
    if clamp.unit is not None and not (type(clamp.unit) is int and 0 <= clamp.unit < size):
        raise ValueError(f"the unit is {clamp.unit!r}: give 0 to {size - 1}, or None for all")
    Range(low, high).require(f"the value of {clamp.name}", clamp.value)
