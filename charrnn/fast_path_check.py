"""
Check that a fast path still computes what the equations say.

A network's `forward` is its definition. The hand-written backward pass is compared with it before use: on a random
network of the same architecture, in float64, with inputs and states of sizes 0.001 to 1000. If they differ, or the
fast path raises, `forward` is used instead.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from operator import is_
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

WRITES_SLOWLY = "The decode step of this network cannot be recorded: the torch module writes, several times slower"
CLOSE = 1e-8  # relative and absolute: far above float64 rounding, far below the effect of an edit
CHARACTERS = 12
WIDEST = 512  # units; wider networks are represented by this width

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
