"""
Layer norm within a sequence, step by step, and the way back by hand. Ba et al. 2016.

y = gain · x̂ + shift with x̂ = (x − mean x) / σ. The mean over the units of a sum is linear in what is summed: where
vectors are sums of rows of weights, `centred` takes it out of the weights, once, and no step has to.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Norm(NamedTuple):
    """How a cell normalises some of its vectors (B, N, H), at every step the same; the gradients gather on the way."""

    gain: Tensor  # (N, H)
    shift: Tensor  # (N, H)
    eps: Tensor  # ()
    d_gain: Tensor  # (N, H)
    d_shift: Tensor  # (N, H)


def centred(rows: Tensor, blocks: int, hidden: int) -> Tensor:
    """Rows (…, G·H) of weights, of whose G blocks the first lose their mean."""
    parts = rows.unflatten(-1, (-1, hidden))
    means = parts.mean(-1, keepdim=True)
    means = torch.cat([means[..., :blocks, :], torch.zeros_like(means[..., blocks:, :])], dim=-2)
    return (parts - means).flatten(-2)


def centre(x: Tensor) -> Tensor:
    """x less its mean over the units, in place; as this is linear and symmetric, its own way back."""
    return x.sub_(x.sum(-1, keepdim=True), alpha=1 / x.shape[-1])


def normalise(x: Tensor, norm: Norm, scale: Tensor) -> Tensor:
    """Centred vectors x (B, N, H) become x̂, in place; scale (B, N, 1) becomes 1 / σ."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    torch.rsqrt(torch.addcmul(norm.eps, length, length, value=1 / x.shape[-1]), out=scale)
    return x.mul_(scale)


def rescale(x_hat: Tensor, norm: Norm) -> Tensor:
    """y = gain · x̂ + shift."""
    return torch.addcmul(norm.shift, x_hat, norm.gain)


def normalise_back(d_y: Tensor, x_hat: Tensor, scale: Tensor, norm: Norm) -> Tensor:
    """
    The gradient of centred x, in place of that of y (B, N, H); those of gain and shift are added to the norm's.

    dx = (u − x̂ · mean(u · x̂)) / σ with u = gain · dy: what would only stretch x is taken out.
    """
    d_gain = d_y * x_hat
    norm.d_gain.add_(d_gain.sum(0))
    norm.d_shift.add_(d_y.sum(0))
    u = d_y.mul_(norm.gain)
    along = d_gain.mul_(norm.gain).sum(-1, keepdim=True)
    return u.addcmul_(x_hat, along, value=-1 / x_hat.shape[-1]).mul_(scale)
