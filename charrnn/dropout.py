"""Inverted dropout with an explicit generator."""

import torch
from torch import Tensor


def dropout(x: Tensor, share: float, rng: torch.Generator | None) -> Tensor:
    """
    Zero a random `share` of x and rescale the rest, so that the mean is unchanged.

    Returns x unchanged if rng is None, as in evaluation and generation. Srivastava et al. 2014.
    """
    if rng is None or share == 0:
        return x
    return x * torch.empty_like(x, requires_grad=False).bernoulli_(1 - share, generator=rng).div_(1 - share)
