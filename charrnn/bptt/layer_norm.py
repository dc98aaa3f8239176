"""
Layer norm within a sequence, forward and backward. Ba et al. 2016.

Forward: y = gain · x̂ + shift with x̂ = (x − mean x) / σ. Backward: dx = (u − mean u − x̂ · mean(u · x̂)) / σ with u
= gain · dy.

The gates share one buffer and are normalized together. The mean over the units of a sum is linear in its terms, so
`subtract_mean` removes it from the weights once instead of at every step. The other inputs (c, and n after its
product with r) are no sums of weight rows; torch's own kernel normalizes them.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.cells import EPS

_layer_norm_backward = torch.ops.aten.native_layer_norm_backward.default


class Norm(NamedTuple):
    """A gain and a shift, or their gradients."""

    gain: Tensor  # (N, H) for the gates; (H,) for the state
    shift: Tensor


class Norms(NamedTuple):
    """Layer norm parameters of a cell, equal for every step."""

    gates: Norm
    alone: Norm
    eps: Tensor  # ()
    d_gates: Norm | None = None  # buffers for the gradients, (B, N, H), if they are needed
    d_alone: Norm | None = None


class NormedGates(NamedTuple):
    """Values of one step saved for the backward pass of the gates' norm."""

    x_hat: Tensor  # (B, N, H)
    scale: Tensor  # (B, N, 1) 1 / σ


class NormedState(NamedTuple):
    x: Tensor  # (B, H)
    mean: Tensor  # (B, 1)
    scale: Tensor  # (B, 1)


def subtract_mean(weights: Tensor, gates: int, hidden: int, dim: int) -> Tensor:
    """Subtract the mean over units from the first `gates` blocks of H along `dim`."""
    blocks = weights.unflatten(dim, (-1, hidden))
    of_gates, rest = blocks.tensor_split([gates], dim)
    return torch.cat([of_gates - of_gates.mean(dim + 1, keepdim=True), rest], dim).flatten(dim, dim + 1)


def normalize_gates(x: Tensor, norms: Norms) -> tuple[Tensor, NormedGates]:
    """Normalize the centered sums x (B, N, H), which are overwritten by x̂."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    scale = torch.addcmul(norms.eps, length, length, value=1 / x.shape[-1]).rsqrt_()
    x_hat = x.mul_(scale)
    return torch.addcmul(norms.gates.shift, x_hat, norms.gates.gain), NormedGates(x_hat, scale)


def normalize_gates_back(d_y: Tensor, at: NormedGates, norms: Norms) -> Tensor:
    """
    Return the gradient of the centered sums, written into d_y (B, N, H).

    Its mean is not subtracted; `subtract_mean` of the weights does that.
    """
    x_hat, scale = at
    if norms.d_gates:
        norms.d_gates.gain.addcmul_(d_y, x_hat)
        norms.d_gates.shift.add_(d_y)
    u = d_y.mul_(norms.gates.gain)
    along = (u * x_hat).sum(-1, keepdim=True)
    return u.addcmul_(x_hat, along, value=-1 / x_hat.shape[-1]).mul_(scale)


def normalize_state(x: Tensor, norms: Norms) -> tuple[Tensor, NormedState]:
    """Normalize x (B, H)."""
    y, *stats = torch.native_layer_norm(x, x.shape[-1:], norms.alone.gain, norms.alone.shift, EPS)
    return y, NormedState(x, *stats)


def normalize_state_back(d_y: Tensor, at: NormedState, norms: Norms) -> Tensor:
    """Return the gradient of x (B, H)."""
    x, mean, scale = at
    wanted = norms.d_alone is not None
    d_x, d_gain, d_shift = _layer_norm_backward(d_y, x, x.shape[-1:], mean, scale, *norms.alone, (True, wanted, wanted))
    if norms.d_alone:
        norms.d_alone.gain.add_(d_gain)
        norms.d_alone.shift.add_(d_shift)
    return d_x
