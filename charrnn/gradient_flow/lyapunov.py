"""
Lyapunov exponents: mean log growth of gradients per step along a text.

Orthonormal vectors are backpropagated through the step Jacobians and re-orthonormalized at every step (QR); the
removed factors are the growth. A product and its transpose have the same singular values, so these are the exponents
of the forward dynamics. Benettin et al. 1980, Engelken et al. 2023.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from charrnn.bootstrap import MIN_STRETCHES, Interval, student_margin
from charrnn.gradient_flow.step_jacobian import Steps
from charrnn.registry import Network

STRETCHES = 16  # of a text; each gives one sample of the exponents
MIN_STRETCH_CHARS = 64  # characters per stretch
WARM_UP = 512  # minimum in characters: with 64 the exponent of a trained LSTM is off by more than half its value
SMALL_CHANGE = 0.25  # of the standard error: largest accepted change by doubling the warm-up


@dataclass(frozen=True)
class Lyapunov:
    """The first Lyapunov exponents of a network on a text, nats per character."""

    exponents: np.ndarray  # (count,) descending
    errors: np.ndarray  # (count,) standard errors over stretches, combined with the last change by doubling the warm-up
    stretches: int
    stretch: int  # characters
    warm_up: int  # characters in which the vectors align before the growth is counted

    @property
    def interval(self) -> Interval:
        """95 % interval of the first exponent over stretches."""
        first, margin = float(self.exponents[0]), student_margin(float(self.errors[0]), self.stretches)
        assert margin is not None, "there are at least MIN_STRETCHES"
        return Interval(first - margin, first + margin)


@torch.no_grad()
def lyapunov_exponents(
    model: Network, ids: Sequence[int], count: int = 1, stretch: int | None = None, warm_up: int | None = None
) -> Lyapunov:
    """
    Measure the first `count` Lyapunov exponents on a text, in float64.

    The text is cut into stretches, 16 if each then has 64 characters or more; each gives one sample. A stretch starts
    with the vectors of the following one (the last with those of the first), so the warm-up uses no extra text. It
    doubles until the exponents change by less than a quarter of their errors, or until it is as long as the text;
    `warm_up` fixes it, rounded up to whole stretches. Raises ValueError for a text with fewer than three stretches, a
    count outside 1 … D, and a model without a state.
    """
    steps = Steps(model, torch.as_tensor(ids))
    if not 1 <= count <= steps.dim:
        raise ValueError(f"count is {count}: the state has {steps.dim} numbers, so give 1 to {steps.dim}")
    if stretch is None:
        stretch = max(MIN_STRETCH_CHARS, (len(ids) - 1) // STRETCHES)
    stretches = (len(ids) - 1) // stretch
    if stretches < MIN_STRETCHES:
        needed = MIN_STRETCHES * stretch + 1
        raise ValueError(f"the text has {len(ids)} characters: exponents with an error take at least {needed}")
    ends = len(ids) - 1 - stretch * torch.arange(stretches).flip(0)
    rng = torch.Generator().manual_seed(0)
    u = torch.randn(stretches, steps.dim, count, generator=rng, dtype=torch.float64)
    warm_up_stretches = math.ceil((WARM_UP if warm_up is None else warm_up) / stretch)
    samples, u = _propagate(steps, torch.linalg.qr(u)[0], ends, stretch, 1 + warm_up_stretches)
    change = np.zeros(count)
    while warm_up is None and (warm_up_stretches * stretch <= max(WARM_UP, len(ids)) // 2 or not change.any()):
        previous = samples.mean(axis=0)
        samples, u = _propagate(steps, u, ends, stretch, warm_up_stretches)
        warm_up_stretches, change = 2 * warm_up_stretches, abs(samples.mean(axis=0) - previous)
        if (change <= SMALL_CHANGE * _error(samples)).all():
            break
    errors = np.hypot(_error(samples), change)
    return Lyapunov(samples.mean(axis=0), errors, stretches, stretch, warm_up_stretches * stretch)


def _propagate(steps: Steps, u: Tensor, ends: Tensor, stretch: int, repetitions: int) -> tuple[np.ndarray, Tensor]:
    """
    Backpropagate vectors through the stretches that end at `ends` (S,), repeatedly.

    Each repetition continues in the preceding stretch. Returns the mean growth per step of the last repetition (S,
    count) and the vectors (S, D, count).
    """
    stretches, dim, count = u.shape
    growth = torch.zeros(stretches, count, dtype=u.dtype)
    for _ in range(repetitions):
        growth.zero_()
        for lag in range(stretch):
            rows = u.mT.reshape(-1, dim)
            u = steps.vjp(rows, (ends - lag).repeat_interleave(count)).view(stretches, count, dim).mT
            u, upper = torch.linalg.qr(u)
            growth += upper.diagonal(dim1=-2, dim2=-1).abs().log()
        u = u.roll(-1, 0)
    return (growth / stretch).numpy(), u


def _error(samples: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean of samples (S, count)."""
    return samples.std(axis=0, ddof=1) / len(samples) ** 0.5
