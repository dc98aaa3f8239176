"""
Lyapunov exponents: the mean logarithm of what a step does to the gradient, along a text.

Orthonormal vectors go back through the step Jacobians as a gradient does, and are made orthonormal again at every step
(QR); what that takes out is the growth. The transposed product has the singular values of the product itself, so these
are the exponents of the network that reads. Benettin et al. 1980, Engelken et al. 2023.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from charrnn.gradient_flow.step_jacobian import Steps
from charrnn.registry import Network

STRETCHES = 16  # of a text: each gives one sample of the exponents
SHORTEST = 64  # characters of a stretch
FEWEST = 3
WARM_UP = 512  # characters at least: with 64 the exponent of a trained LSTM is off by more than half of itself
SMALL_CHANGE = 0.25  # of the standard error: what a doubling of the warm-up may change


@dataclass(frozen=True)
class Lyapunov:
    """The first exponents of one network on one text, in nats a character: exp of them is the factor a step."""

    exponents: np.ndarray  # (count,) descending
    errors: np.ndarray  # (count,) standard errors over the stretches, and what the last doubling of the warm-up changed
    stretches: int
    stretch: int  # characters
    warm_up: int  # characters over which the vectors turned to their directions before they were counted


@torch.no_grad()
def lyapunov(
    model: Network, ids: Sequence[int], count: int = 1, stretch: int | None = None, warm_up: int | None = None
) -> Lyapunov:
    """
    The first `count` Lyapunov exponents of a model that reads a text, with their standard errors, in float64.

    The text falls into stretches, 16 where each then has 64 characters or more; each gives one sample. The vectors of a
    stretch come from the one after it (of the last, from the first), so that the warm-up takes none of the text. It
    doubles until the exponents change by less than a quarter of their errors, or until it is as long as the text; where
    `warm_up` is given, it is that, in whole stretches. Raises ValueError for a text without three stretches, and for a
    model that carries no state.
    """
    steps = Steps(model, torch.as_tensor(ids))
    if not 1 <= count <= steps.dim:
        raise ValueError(f"count is {count}: the state has {steps.dim} numbers, so give 1 to {steps.dim}")
    if stretch is None:
        stretch = max(SHORTEST, (len(ids) - 1) // STRETCHES)
    stretches = (len(ids) - 1) // stretch
    if stretches < FEWEST:
        least = FEWEST * stretch + 1
        raise ValueError(f"the text has {len(ids)} characters: exponents with an error take at least {least}")
    ends = len(ids) - 1 - stretch * torch.arange(stretches).flip(0)
    rng = torch.Generator().manual_seed(0)
    u = torch.randn(stretches, steps.dim, count, generator=rng, dtype=torch.float64)
    warm = math.ceil((WARM_UP if warm_up is None else warm_up) / stretch)  # stretches
    samples, u = _walk(steps, torch.linalg.qr(u)[0], ends, stretch, 1 + warm)
    change = np.zeros(count)
    while warm_up is None and (warm * stretch <= max(WARM_UP, len(ids)) // 2 or not change.any()):
        before = samples.mean(axis=0)
        samples, u = _walk(steps, u, ends, stretch, warm)
        warm, change = 2 * warm, abs(samples.mean(axis=0) - before)
        if (change <= SMALL_CHANGE * _error(samples)).all():
            break
    errors = np.hypot(_error(samples), change)
    return Lyapunov(samples.mean(axis=0), errors, stretches, stretch, warm * stretch)


def _walk(steps: Steps, u: Tensor, ends: Tensor, stretch: int, times: int) -> tuple[np.ndarray, Tensor]:
    """
    From the ends of the stretches (S,) back to their beginnings, then on in the stretch before each, so many times.

    What the last time grew a step (S, count), and the vectors with which it would go on (S, D, count).
    """
    stretches, dim, count = u.shape
    growth = torch.zeros(stretches, count, dtype=u.dtype)
    for _ in range(times):
        growth.zero_()
        for lag in range(stretch):
            rows = u.mT.reshape(-1, dim)
            u = steps.back(rows, (ends - lag).repeat_interleave(count)).view(stretches, count, dim).mT
            u, triangle = torch.linalg.qr(u)
            growth += triangle.diagonal(dim1=-2, dim2=-1).abs().log()
        u = u.roll(-1, 0)
    return (growth / stretch).numpy(), u


def _error(samples: np.ndarray) -> np.ndarray:
    """The standard error of the mean of samples (S, count)."""
    return samples.std(axis=0, ddof=1) / len(samples) ** 0.5
