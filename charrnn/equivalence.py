"""
Check that a fast path still computes what the equations say.

A network's `forward` is its definition. Each faster path (hand-written backward pass, numpy decoders) is compared
with it before use: on a random network of the same architecture, in float64, with inputs and states of sizes 0.001 to
1000. If they differ, or the fast path raises, `forward` is used instead.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import is_
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from charrnn.interventions import Clamp, ClampSet, limits

WRITES_SLOWLY = (
    "The numpy decoder is not used, because it does not compute what the torch module says: the torch module writes, "
    "several times slower"
)
CLOSE = 1e-8  # relative and absolute: far above float64 rounding, far below the effect of an edit
CHARACTERS = 12
WIDEST = 512  # units; wider networks are represented by this width
STEP = 1e-6  # of a finite difference

_known: dict[tuple, "_Known"] = {}


def difference(model: Any, compare: Callable[[Any], None], written_in: Sequence[ModuleType]) -> str:
    """
    Describe how two computations differ for this architecture; "" if they agree.

    compare: raises DifferentError. The result is cached per architecture, until a function or class of the modules
    `written_in` is replaced.
    """
    kinds = (type(model), type(getattr(model, "cell", None)))
    key = (compare, *kinds, model.training, *model.config.items())
    known = _known.get(key)
    if known is None or not known.holds():
        try:
            with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
                compare(drawn_like(model))
            found = ""
        except Exception as error:  # edited equations can raise anything
            found = str(error) if isinstance(error, DifferentError) else f"{type(error).__name__}: {error}"
        known = _known[key] = _Known(found, (*written_in, *kinds))
    return known.difference


class _Known:
    """A comparison result and the modules and classes it depends on."""

    def __init__(self, difference: str, places: Sequence[Any]):
        self.difference = difference
        inside = {value for place in places for value in vars(place).values() if isinstance(value, type)}
        own = __name__.partition(".")[0]
        self._places = [*map(vars, places), *(vars(kind) for kind in inside if kind.__module__.startswith(own))]
        self._code = self._now()

    def _now(self) -> list[Any]:
        return [*chain.from_iterable(place.values() for place in self._places)]

    def holds(self) -> bool:
        """Return whether the code is unchanged."""
        now = self._now()
        return len(now) == len(self._code) and all(map(is_, now, self._code))


class DifferentError(ArithmeticError):
    """Two computations of the same thing disagree."""


def require_same(name: str, found: Any, expected: Any) -> None:
    """Raise DifferentError unless two tensors, or two arrays, are close."""
    if type(found) is not type(expected):
        raise DifferentError(f"{name} is a {type(found).__name__}, not a {type(expected).__name__}")
    a, b = (torch.as_tensor(value).detach() for value in (found, expected))
    if a.shape != b.shape:
        raise DifferentError(f"{name} has the shape {[*a.shape]}, not {[*b.shape]}")
    if not torch.allclose(a, b, rtol=CLOSE, atol=CLOSE):
        raise DifferentError(f"{name} differs by {(a - b).abs().max().item():.2g}")


# ------------------------------------------------------------------------------------------------ drawn networks


def drawn_like(model: Any) -> Any:
    """Return a random float64 network of this architecture, with a small vocabulary."""
    with torch.random.fork_rng(devices=[]):  # torch.nn initializes weights from the global generator
        network = type(model)(CHARACTERS, **model.small_config(WIDEST)).double().train(model.training)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            wide = parameter.shape[1] ** -0.5 if parameter.dim() > 1 else 0.7
            parameter.copy_(wide * torch.randn(parameter.shape, generator=rng, dtype=torch.float64))
        network.embed.weight.mul_(network.embed.weight.shape[1] ** 0.5 * sizes(CHARACTERS)[:, None])
    return network


def sizes(count: int) -> Tensor:
    """Return 0.001 to 1000, evenly spaced on a log scale: (count,), float64."""
    return torch.logspace(-3, 3, count, dtype=torch.float64)


# ------------------------------------------------------------------------------------------------ clamps


def require_effect(clamps: Sequence[Clamp], model: Any, reader_of: Callable[[Any], Any]) -> None:
    """
    Raise ValueError for a clamp that does not work in this network.

    A clamped unit must read its value, and what is computed from it must change as the derivative of `forward` says.
    reader_of: the kind of decoder, which has `holding`.
    """
    small = drawn_like(model)
    ids = [CHARACTERS // 2 + i for i in (-1, 1, 0)]  # of moderate size, so that few units are saturated
    reader = reader_of(small)
    before = reader.prefill(ids[:-1]).state
    logits, _, seen = small.watched(torch.tensor([ids]), None)
    outputs = {"logits": logits} | seen
    last = {name: value.flatten(0, -2)[-1] for name, value in outputs.items()}  # of the last character, (rows,)
    units = {name: len(last[name]) for name in seen}

    def held_at(name: str, values: np.ndarray, which: Sequence[int]) -> dict[str, np.ndarray]:
        held = ClampSet([Clamp(name, unit, float(values[unit])) for unit in which], units)
        reading = reader.holding(held).step(ids[-1], before)
        return {"logits": reading.logits} | dict(reading.activations)

    for name, value in dict.fromkeys((clamp.name, clamp.value) for clamp in clamps):
        read = held_at(name, np.full(units[name], value), range(units[name]))[name]
        if not np.allclose(read, value, rtol=CLOSE, atol=CLOSE):
            worst = read[np.abs(read - value).argmax()]
            raise ValueError(f"{name} cannot be clamped at {value:g} in this network: it reads {worst:.3g} instead")
    for name in dict.fromkeys(clamp.name for clamp in clamps):
        _require_slope(name, outputs[name], last, held_at)


def _require_slope(
    name: str, whole: Tensor, last: Mapping[str, Tensor], held_at: Callable[..., dict[str, np.ndarray]]
) -> None:
    """Check one name; `whole` is its tensor in the autograd graph of `last`."""
    own, (low, high) = last[name].detach().numpy(), limits(name)
    which = np.flatnonzero((low + 2 * STEP < own) & (own < high - 2 * STEP)).tolist()
    rng = np.random.default_rng(0)
    along = rng.choice([-1.0, 1.0], len(own))
    weights = {other: rng.standard_normal(len(value)) for other, value in last.items() if other != name}
    others = [torch.from_numpy(weight) @ last[other] for other, weight in weights.items()]
    (slopes,) = torch.autograd.grad(torch.stack(others).sum(), whole, retain_graph=True, allow_unused=True)
    slope = 0.0 if slopes is None else float(slopes.flatten(0, -2)[-1].numpy()[which] @ along[which])
    up, down = (held_at(name, own + sign * STEP * along, which) for sign in (1, -1))
    found = sum(float(weights[other] @ (up[other] - down[other])) for other in weights) / (2 * STEP)
    if not abs(found - slope) <= 1e-4 * max(1.0, abs(slope)):
        raise ValueError(f"{name} cannot be clamped in this network: later values do not depend on it as they should")
