"""
Layer norm within a sequence, step by step, and the way back. Ba et al. 2016.

y = gain · x̂ + shift with x̂ = (x − mean x) / σ, and back: dx = (u − mean u − x̂ · mean(u · x̂)) / σ with u = gain · dy.

The gates lie side by side and are normalised together. The mean over the units of a sum is linear in what is summed:
`without_mean` takes it out of the weights, once, and no step has to. What stands alone (c, and n after its product with
r) is no sum of rows of weights; torch's own kernel does it in one go.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.cells import EPS

_layer_norm_backward = torch.ops.aten.native_layer_norm_backward.default


class Norm(NamedTuple):
    """A gain and a shift, or their gradients."""

    gain: Tensor  # (N, H) of the gates; (H,) of what stands alone
    shift: Tensor


class Norms(NamedTuple):
    """How a cell normalises, at every step the same."""

    gates: Norm
    alone: Norm
    eps: Tensor  # ()
    d_gates: Norm | None = None  # where the gradients gather on the way back, if they are wanted; (B, N, H)
    d_alone: Norm | None = None


class NormedGates(NamedTuple):
    """What a step leaves behind for the way back."""

    x_hat: Tensor  # (B, N, H)
    scale: Tensor  # (B, N, 1) 1 / σ


class NormedAlone(NamedTuple):
    x: Tensor  # (B, H)
    mean: Tensor  # (B, 1)
    scale: Tensor  # (B, 1)


def without_mean(weights: Tensor, gates: int, hidden: int, dim: int) -> Tensor:
    """Weights with blocks of H along a dimension, of which the first, the gates', lose their mean over the units."""
    blocks = weights.unflatten(dim, (-1, hidden))
    of_gates, rest = blocks.tensor_split([gates], dim)
    return torch.cat([of_gates - of_gates.mean(dim + 1, keepdim=True), rest], dim).flatten(dim, dim + 1)


def normalise_gates(x: Tensor, norms: Norms) -> tuple[Tensor, NormedGates]:
    """y from the centred sums x (B, N, H), which become x̂."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    scale = torch.addcmul(norms.eps, length, length, value=1 / x.shape[-1]).rsqrt_()
    x_hat = x.mul_(scale)
    return torch.addcmul(norms.gates.shift, x_hat, norms.gates.gain), NormedGates(x_hat, scale)


def normalise_gates_back(d_y: Tensor, at: NormedGates, norms: Norms) -> Tensor:
    """The gradient of the centred sums, in place of d_y (B, N, H). Its mean is not taken out: the weights do that."""
    x_hat, scale = at
    if norms.d_gates:
        norms.d_gates.gain.addcmul_(d_y, x_hat)
        norms.d_gates.shift.add_(d_y)
    u = d_y.mul_(norms.gates.gain)
    along = (u * x_hat).sum(-1, keepdim=True)
    return u.addcmul_(x_hat, along, value=-1 / x_hat.shape[-1]).mul_(scale)


def normalise_alone(x: Tensor, norms: Norms) -> tuple[Tensor, NormedAlone]:
    """y from x (B, H)."""
    y, *stats = torch.native_layer_norm(x, x.shape[-1:], norms.alone.gain, norms.alone.shift, EPS)
    return y, NormedAlone(x, *stats)


def normalise_alone_back(d_y: Tensor, at: NormedAlone, norms: Norms) -> Tensor:
    """The gradient of x (B, H)."""
    x, mean, scale = at
    wanted = norms.d_alone is not None
    d_x, d_gain, d_shift = _layer_norm_backward(d_y, x, x.shape[-1:], mean, scale, *norms.alone, (True, wanted, wanted))
    if norms.d_alone:
        norms.d_alone.gain.add_(d_gain)
        norms.d_alone.shift.add_(d_shift)
    return d_x
