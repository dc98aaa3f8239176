"""
Lyapunov exponents: the mean logarithm of what a step does to the gradient, along a text.

Orthonormal vectors go back through the step Jacobians as a gradient does, and are made orthonormal again at every step
(QR); what that takes out is the growth. The transposed product has the singular values of the product itself, so these
are the exponents of the network that reads. Benettin et al. 1980, Engelken et al. 2023.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from charrnn.gradient_flow.steps import Steps
from charrnn.networks import Network

STRETCH = 64  # characters over which growth is averaged: one sample of the exponents
WARM_UP = 64  # characters over which the vectors turn to where they belong, before anything counts
MOST_STRETCHES = 128
FEWEST = 2


@dataclass(frozen=True)
class Lyapunov:
    """The first exponents of one network on one text, in nats a character: exp of them is the factor a step."""

    exponents: np.ndarray  # (count,) descending
    errors: np.ndarray  # (count,) standard errors, over the stretches
    stretches: int
    stretch: int  # characters


@torch.no_grad()
def lyapunov(
    model: Network, ids: Sequence[int], count: int = 1, stretch: int = STRETCH, warm_up: int = WARM_UP
) -> Lyapunov:
    """
    The first `count` Lyapunov exponents of a model that reads a text, with their standard errors, in float64.

    The text falls into stretches, of which each gives one sample; 128 of them at most, spread over it. Raises
    ValueError for a text without two of them, and for a model that carries no state.
    """
    steps = Steps(model, torch.as_tensor(ids))
    if not 1 <= count <= steps.dim:
        raise ValueError(f"count is {count}: the state has {steps.dim} numbers, so give 1 to {steps.dim}")
    fitting = (len(ids) - 1 - warm_up) // stretch
    if fitting < FEWEST:
        least = FEWEST * stretch + warm_up + 1
        raise ValueError(f"the text has {len(ids)} characters: exponents with an error take at least {least}")
    stretches = min(MOST_STRETCHES, fitting)
    ends = torch.linspace(stretch + warm_up, len(ids) - 1, stretches, dtype=torch.float64).long()
    rng = torch.Generator().manual_seed(0)
    u = torch.linalg.qr(torch.randn(stretches, steps.dim, count, generator=rng, dtype=torch.float64))[0]
    growth = torch.zeros(stretches, count, dtype=torch.float64)
    for lag in range(warm_up + stretch):
        rows = u.mT.reshape(-1, steps.dim)
        u = steps.back(rows, (ends - lag).repeat_interleave(count)).view(stretches, count, -1).mT
        u, triangle = torch.linalg.qr(u)
        if lag >= warm_up:
            growth += triangle.diagonal(dim1=-2, dim2=-1).abs().log()
    samples = (growth / stretch).numpy()  # (S, count)
    return Lyapunov(samples.mean(axis=0), samples.std(axis=0, ddof=1) / stretches**0.5, stretches, stretch)
