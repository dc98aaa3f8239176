"""What a visitor asks to be held: clamps as the page sends them, the values they can take, and one to begin with."""

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from charrnn.interventions import Clamp, limits
from charrnn.neurons import read
from charrnn.ranges import Range
from charrnn.ui.server.activation_views import rounded_up
from charrnn.ui.server.analyses import text_for
from charrnn.ui.server.checkpoint_store import Reader, Store
from charrnn.ui.server.source_text import SourceText

MOST_CLAMPS = 8
READ = 2000  # characters: as many as the scenes read, so that both show the same range
WROTE = "a text that the network wrote for this"
FEWEST = 8  # line ends, for their mean to say something


class Usual:
    """What the units of a network usually are, on the beginning of the text that everything is measured on."""

    def __init__(self, reader: Reader, source: SourceText):
        self.source = source
        self.text = source.text
        pieces = [*read(reader.decoder, reader.vocab.encode(self.text), reader.names)]
        self.values = {name: np.concatenate([piece[name] for piece in pieces]) for name in reader.names}  # (T, units)

    @classmethod
    def of(cls, store: Store, reader: Reader) -> "Usual":
        """Worked out once."""
        source = text_for(store, reader).first(READ)
        return store.cache.compute(usual_values, reader, source if source.text else SourceText(reader.own_text, WROTE))

    def __str__(self) -> str:
        """On which text."""
        return f"{len(self.text):,} characters of {self.source.origin}"

    @property
    def units(self) -> int:
        return next(iter(self.values.values())).shape[1]

    def span(self, name: str) -> tuple[float, float]:
        """Between which values a slider can go: all that there can be, or where there is no bound, what there was."""
        low, high = limits(name)
        if high <= 1:
            return low, high
        most = rounded_up(float(np.abs(self.values[name]).max()))
        return -most, most

    def told(self, clamp: Clamp) -> dict[str, Any]:
        """A clamp as the page shows it, with what that unit usually is: 5 %, mean, 95 %; of every unit together."""
        some = self.values[clamp.name] if clamp.unit is None else self.values[clamp.name][:, clamp.unit]
        low, high = np.quantile(some.astype(np.float64), [0.05, 0.95])
        usual = [
            float(f"{value:.3g}") if abs(value) >= 1 else round(float(value), 3)
            for value in (low, some.mean(dtype=float), high)
        ]
        return {"name": clamp.name, "unit": clamp.unit, "value": clamp.value, "usual": usual}

    def mean(self, name: str, unit: int | None) -> float:
        """What a unit is on average, or every unit, in the digits that the page shows."""
        some = self.values[name] if unit is None else self.values[name][:, unit]
        return round(float(some.mean(dtype=float)), 2)


def usual_values(reader: Reader, source: SourceText) -> Usual:
    """What the units of a network usually are."""
    return Usual(reader, source)


def clamps_of(usual: Usual, sent: Any, looked_at: Any = None) -> tuple[Clamp, ...]:
    """
    The clamps that the page asks for, one at least; a value that it leaves open is the unit's mean.

    Where it asks for none: the unit that the tab looks at, if this network has it; else what tells line ends best, held
    as if there were none. Raises ValueError.
    """
    if sent is None or sent == []:
        return (_looked_at(usual, looked_at) or suggestion(usual),)
    if not isinstance(sent, Sequence) or isinstance(sent, str) or len(sent) > MOST_CLAMPS:
        raise ValueError(f"clamps is {reprlib.repr(sent)}: give a list of at most {MOST_CLAMPS}")
    return tuple(_clamp(usual, each) for each in sent)


def _looked_at(usual: Usual, sent: Any) -> Clamp | None:
    try:
        return _clamp(
            usual, {"name": sent.get("view"), "unit": sent.get("unit")} if isinstance(sent, Mapping) else None
        )
    except ValueError:
        return None


def _clamp(usual: Usual, sent: Any) -> Clamp:
    if not isinstance(sent, Mapping):
        raise ValueError(f"a clamp is {reprlib.repr(sent)}: give its name, its unit and its value")
    name, unit, value = (sent.get(key) for key in ("name", "unit", "value"))
    if not isinstance(name, str) or name not in usual.values:
        raise ValueError(f"{reprlib.repr(name)} cannot be clamped here: give one of {', '.join(usual.values)}")
    unit = None if unit is None else Range(0, usual.units - 1, whole=True).require("unit", unit)
    value = usual.mean(name, unit) if value is None else Range(*limits(name)).require(f"the value of {name}", value)
    return Clamp(name, unit, value)


def suggestion(usual: Usual) -> Clamp:
    """The unit whose mean at line ends differs most from its mean elsewhere, held at the latter."""
    name, values = next(iter(usual.values.items()))
    ends = np.array([character == "\n" for character in usual.text])
    if FEWEST <= ends.sum() < len(ends):
        unit = int(np.abs(values[ends].mean(axis=0, dtype=float) - values[~ends].mean(axis=0, dtype=float)).argmax())
        return Clamp(name, unit, round(float(values[~ends, unit].mean(dtype=float)), 2))
    unit = int(values.std(axis=0).argmax())
    return Clamp(name, unit, usual.mean(name, unit))
