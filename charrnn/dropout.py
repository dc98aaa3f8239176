"""Dropout whose dice come in by argument."""

import torch
from torch import Tensor


def dropout(x: Tensor, share: float, rng: torch.Generator | None) -> Tensor:
    """
    Zero a random `share` of x and scale what stays, so that the mean is kept; x itself where there is no rng.

    Who reads or evaluates gives none. Srivastava et al. 2014.
    """
    if rng is None or share == 0:
        return x
    return x * torch.empty_like(x, requires_grad=False).bernoulli_(1 - share, generator=rng).div_(1 - share)
