"""
Interventions: what a network computes for a unit, held at a value, to see what hangs on it.

A clamp acts at every character that is read while it is there, from the first one on; whatever the equations compute
afterwards, they compute from the held value:

- `h` (vanilla, GRU, LSTM): h' is held once it is computed. The logits and the next step see it; c' does not change.
- `c` (LSTM): c' is held once it is computed. h' = o tanh(c') and the next step see it, with layer norm all of h' does.
- a gate (`i`, `f`, `g`, `o`; `r`, `z`, `n`): held where it would be squashed, so that c' and h', and of r the
  candidate n, are made of it. In place of the sum that would be squashed, after layer norm, stands what the squashing
  takes to the value, ±∞ for its ends: the gate is the value, rounded.
- `embedding`, `layer 1`, … (MiniGPT): the residual stream there; all blocks after it, and the logits, see it.

The state before the first character is left as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.ranges import Range

SIGMOIDS, TANHS = frozenset("ifo" + "rz"), frozenset("gn")  # gates, by what squashes them
LARGEST = 1e6  # of what has no bound of its own
MOST = 4096  # clamps at once


@dataclass(frozen=True)
class Clamp:
    """Hold one unit of what goes by this name at a value; unit None: all of them."""

    name: str
    unit: int | None
    value: float

    def __str__(self) -> str:
        return f"{self.name} of {'every unit' if self.unit is None else f'unit {self.unit}'} = {self.value:g}"


def limits(name: str) -> tuple[float, float]:
    """Between which values what goes by this name can be held: those that it can have."""
    if name in SIGMOIDS:
        return 0.0, 1.0
    return (-1.0, 1.0) if name == "h" or name in TANHS else (-LARGEST, LARGEST)


class Held:
    """
    Clamps that fit a network, by name; of several on one unit the last one counts.

    units: how many there are of each name that can be held. Raises ValueError for a name or a unit that there is not
    and for a value out of the limits.
    """

    def __init__(self, clamps: Sequence[Clamp], units: Mapping[str, int]):
        if len(clamps) > MOST:
            raise ValueError(f"there are {len(clamps)} clamps: give at most {MOST}")
        self._of: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # which units are held, and at what; (units,) both
        for clamp in clamps:
            _require(clamp, units)
            size = units[clamp.name]
            which, values = self._of.setdefault(clamp.name, (np.zeros(size, dtype=bool), np.zeros(size)))
            some = slice(None) if clamp.unit is None else clamp.unit
            which[some], values[some] = True, clamp.value

    def __call__(self, name: str, x: Any) -> Any:
        """What goes by this name (..., units), held: the same where nothing is; a tensor or an array."""
        return _put(x, *self._of[name]) if name in self._of else x

    def squashed_from(self, gate: str, normed: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """What a gate is squashed from, held: in place of `normed`, what the cell does to the sum before that."""
        if gate not in self._of:
            return normed
        which, values = self._of[gate]
        with np.errstate(divide="ignore"):  # the ends of a squashing function lie at infinity
            sums = np.log(values) - np.log1p(-values) if gate in SIGMOIDS else np.arctanh(values)
        return lambda x: _put(normed(x), which, sums)


def _put(x: Any, which: np.ndarray, values: np.ndarray) -> Any:
    if isinstance(x, np.ndarray):
        return np.where(which, values, x).astype(x.dtype)
    held, units = x.clone(), np.flatnonzero(which)
    held[..., units] = x.new_tensor(values[units])
    return held


def _require(clamp: Clamp, units: Mapping[str, int]) -> None:
    if clamp.name not in units:
        raise ValueError(f"{clamp.name!r} cannot be held here: give one of {', '.join(units)}")
    size, (low, high) = units[clamp.name], limits(clamp.name)
    if clamp.unit is not None and not (type(clamp.unit) is int and 0 <= clamp.unit < size):
        raise ValueError(f"the unit is {clamp.unit!r}: give 0 to {size - 1}, or None for all")
    Range(low, high).require(f"the value of {clamp.name}", clamp.value)
