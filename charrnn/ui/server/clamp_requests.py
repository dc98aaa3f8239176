"""Parses requested clamps, with statistics of the units for their defaults."""

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from charrnn.clamps import Clamp, limits
from charrnn.ranges import Range
from charrnn.ui.server.activation_views import ceil_nice
from charrnn.ui.server.analyses import read_activations, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.source_text import SourceText

MAX_CLAMPS = 8
MAX_READ_CHARS = 2000  # as in the lecture scenes, so that both show the same range
MIN_LINE_ENDS = 8  # for a mean over them


class ActivationStats:
    """Statistics of a model's units on the beginning of the default text."""

    def __init__(self, loaded: LoadedModel, source: SourceText):
        self.source = source
        self.text = source.text
        ids = loaded.vocab.encode(self.text)
        self.values = read_activations(loaded.decoder, ids, loaded.view_names)  # (T, units)

    @classmethod
    def of(cls, store: Store, loaded: LoadedModel) -> "ActivationStats":
        """Return the cached statistics of a model."""
        source = text_for(store, loaded).first(MAX_READ_CHARS)
        return store.cache.compute(_activation_stats, loaded, source)

    def __str__(self) -> str:
        """Describe the text of the statistics."""
        return f"{len(self.text):,} characters of {self.source.origin}"

    @property
    def units(self) -> int:
        return next(iter(self.values.values())).shape[1]

    def span(self, name: str) -> tuple[float, float]:
        """Return the range of a slider: the limits, or the observed range if unbounded."""
        low, high = limits(name)
        if high <= 1:
            return low, high
        most = ceil_nice(float(np.abs(self.values[name]).max()))
        return -most, most

    def describe(self, clamp: Clamp) -> dict[str, Any]:
        """Describe a clamp with the 5 %, mean and 95 % of its unit, or of all units."""
        values = self._of_unit(clamp.name, clamp.unit)
        low, high = np.quantile(values.astype(np.float64), [0.05, 0.95])
        usual = [
            float(f"{value:.3g}") if abs(value) >= 1 else round(float(value), 3)
            for value in (low, values.mean(dtype=float), high)
        ]
        return {"name": clamp.name, "unit": clamp.unit, "value": clamp.value, "usual": usual}

    def mean(self, name: str, unit: int | None) -> float:
        """Return the mean of a unit, or of all units, as rounded on the page."""
        return round(float(self._of_unit(name, unit).mean(dtype=float)), 2)

    def _of_unit(self, name: str, unit: int | None) -> np.ndarray:
        return self.values[name] if unit is None else self.values[name][:, unit]


def _activation_stats(loaded: LoadedModel, source: SourceText) -> ActivationStats:
    return ActivationStats(loaded, source)


def clamps_of(stats: ActivationStats, sent: Any, selected: Any = None) -> tuple[Clamp, ...]:
    """Parse the requested clamps. A clamp without a value gets the unit's mean.

    Without clamps: the selected unit if this model has it, else `default_clamp`. Raises ValueError.
    """
    if sent is None or sent == []:
        return (_selected(stats, selected) or default_clamp(stats),)
    if not isinstance(sent, Sequence) or isinstance(sent, str) or len(sent) > MAX_CLAMPS:
        raise ValueError(f"clamps is {reprlib.repr(sent)}: give a list of at most {MAX_CLAMPS}")
    clamps = tuple(_clamp(stats, clamp) for clamp in sent)
    for i, (name, unit) in enumerate(places := [(clamp.name, clamp.unit) for clamp in clamps]):
        if (name, unit) in places[:i]:
            units = "every unit" if unit is None else f"unit {unit}"
            raise ValueError(f"{name} of {units} is clamped twice: give one value")
    return clamps


def _selected(stats: ActivationStats, sent: Any) -> Clamp | None:
    try:
        return _clamp(
            stats, {"name": sent.get("view"), "unit": sent.get("unit")} if isinstance(sent, Mapping) else None
        )
    except ValueError:
        return None


def _clamp(stats: ActivationStats, sent: Any) -> Clamp:
    if not isinstance(sent, Mapping):
        raise ValueError(f"a clamp is {reprlib.repr(sent)}: give its name, its unit and its value")
    name, unit, value = (sent.get(key) for key in ("name", "unit", "value"))
    if not isinstance(name, str) or name not in stats.values:
        raise ValueError(f"{reprlib.repr(name)} cannot be clamped here: give one of {', '.join(stats.values)}")
    unit = None if unit is None else Range(0, stats.units - 1, whole=True).require("unit", unit)
    value = stats.mean(name, unit) if value is None else Range(*limits(name)).require(f"the value of {name}", value)
    return Clamp(name, unit, value)


def default_clamp(stats: ActivationStats) -> Clamp:
    """Clamp the unit that separates line ends best to its mean elsewhere."""
    name, values = next(iter(stats.values.items()))
    ends = np.array([character == "\n" for character in stats.text])
    if MIN_LINE_ENDS <= ends.sum() < len(ends):
        unit = int(np.abs(values[ends].mean(axis=0, dtype=float) - values[~ends].mean(axis=0, dtype=float)).argmax())
        return Clamp(name, unit, round(float(values[~ends, unit].mean(dtype=float)), 2))
    unit = int(values.std(axis=0).argmax())
    return Clamp(name, unit, stats.mean(name, unit))
