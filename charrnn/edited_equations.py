"""
Find out whether the equations of a network were edited.

A network's `forward` is its definition. The fast path of training, `bptt`, is compared with it before use: on a random
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

TOLERANCE = 1e-8  # relative and absolute: far above float64 rounding, far below the effect of an edit
VOCAB_SIZE = 12  # of the random network
MAX_UNITS = 512  # of the random network

_cache: dict[tuple, "_CachedResult"] = {}


def difference(model: Any, compare: Callable[[Any], None], modules: Sequence[ModuleType]) -> str:
    """
    Describe how two computations differ for this architecture; "" if they agree.

    compare: raises DifferentError. The result is cached per architecture, until a function or class of `modules` is
    replaced.
    """
    kinds = (type(model), type(getattr(model, "cell", None)))
    key = (compare, *kinds, model.training, *model.config.items())
    cached = _cache.get(key)
    if cached is None or not cached.is_current():
        try:
            with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
                compare(random_network_like(model))
            result = ""
        except Exception as error:  # edited equations can raise anything
            result = str(error) if isinstance(error, DifferentError) else f"{type(error).__name__}: {error}"
        cached = _cache[key] = _CachedResult(result, (*modules, *kinds))
    return cached.difference


class _CachedResult:
    """A comparison result and the modules and classes it depends on."""

    def __init__(self, difference: str, owners: Sequence[Any]):
        self.difference = difference
        classes = {value for owner in owners for value in vars(owner).values() if isinstance(value, type)}
        package = __name__.partition(".")[0]
        own = [vars(kind) for kind in classes if kind.__module__.startswith(package)]
        self._namespaces = [*map(vars, owners), *own]
        self._definitions = self._current()

    def _current(self) -> list[Any]:
        return [*chain.from_iterable(namespace.values() for namespace in self._namespaces)]

    def is_current(self) -> bool:
        """Return whether the definitions are unchanged."""
        current = self._current()
        return len(current) == len(self._definitions) and all(map(is_, current, self._definitions))


class DifferentError(ArithmeticError):
    """Two computations of one value differ."""


def require_same(name: str, found: Any, expected: Any) -> None:
    """Raise DifferentError unless two tensors, or two arrays, are close."""
    if type(found) is not type(expected):
        raise DifferentError(f"{name} is a {type(found).__name__}, not a {type(expected).__name__}")
    a, b = (torch.as_tensor(value).detach() for value in (found, expected))
    if a.shape != b.shape:
        raise DifferentError(f"{name} has the shape {[*a.shape]}, not {[*b.shape]}")
    if not torch.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE):
        raise DifferentError(f"a difference of {name} is {(a - b).abs().max().item():.2g}")


# ------------------------------------------------------------------------------------------------ random networks


def random_network_like(model: Any) -> Any:
    """Return a random float64 network of this architecture, with a small vocabulary."""
    with torch.random.fork_rng(devices=[]):  # torch.nn initializes weights from the global generator
        network = type(model)(VOCAB_SIZE, **model.small_config(MAX_UNITS)).double().train(model.training)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            std = parameter.shape[1] ** -0.5 if parameter.dim() > 1 else 0.7
            parameter.copy_(std * torch.randn(parameter.shape, generator=rng, dtype=torch.float64))
        network.embed.weight.mul_(network.embed.weight.shape[1] ** 0.5 * log_spaced(VOCAB_SIZE)[:, None])
    return network


def log_spaced(count: int) -> Tensor:
    """Return 0.001 to 1000, evenly spaced on a log scale: (count,), float64."""
    return torch.logspace(-3, 3, count, dtype=torch.float64)
