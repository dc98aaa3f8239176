"""
Layer norm within a sequence, forward and backward. Ba et al. 2016.

Forward: y = gain · x̂ + shift with x̂ = (x − mean x) / σ. Backward: dx = (u − mean u − x̂ · mean(u · x̂)) / σ with u
= gain · dy.

The gates share one buffer and are normalized together. Their mean over the units is linear in the weights, so
`subtract_mean` removes it from the weights once instead of at every step. Torch's own kernel normalizes the rest: the
c of an LSTM, the n of a GRU, the h of a vanilla cell.
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
    """Layer norm parameters of a cell, the same at every step."""

    gates: Norm
    state: Norm
    eps: Tensor  # ()
    d_gates: Norm | None = None  # gradient buffers, (B, N, H); None if not needed
    d_state: Norm | None = None


class NormedGates(NamedTuple):
    """Values of one step saved for the backward pass of the gates' norm."""

    x_hat: Tensor  # (B, N, H)
    scale: Tensor  # (B, N, 1) 1 / σ


class NormedState(NamedTuple):
    """Values of one step saved for the backward pass of the state's norm."""

    x: Tensor  # (B, H)
    mean: Tensor  # (B, 1)
    scale: Tensor  # (B, 1)


def subtract_mean(weights: Tensor, gates: int, hidden: int, dim: int) -> Tensor:
    """Subtract the mean over units from the first `gates` blocks of H along `dim`."""
    blocks = weights.unflatten(dim, (-1, hidden))
    gate_blocks, rest = blocks.tensor_split([gates], dim)
    return torch.cat([gate_blocks - gate_blocks.mean(dim + 1, keepdim=True), rest], dim).flatten(dim, dim + 1)


def normalize_gates(x: Tensor, norms: Norms) -> tuple[Tensor, NormedGates]:
    """Normalize centered preactivations x (B, N, H), which are overwritten by x̂."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    scale = torch.addcmul(norms.eps, norm, norm, value=1 / x.shape[-1]).rsqrt_()
    x_hat = x.mul_(scale)
    return torch.addcmul(norms.gates.shift, x_hat, norms.gates.gain), NormedGates(x_hat, scale)


def normalize_gates_back(d_y: Tensor, saved: NormedGates, norms: Norms) -> Tensor:
    """
    Return the gradient of the centered preactivations, written into d_y (B, N, H).

    Its mean is not subtracted; `subtract_mean` of the weights does that.
    """
    x_hat, scale = saved
    if norms.d_gates:
        norms.d_gates.gain.addcmul_(d_y, x_hat)
        norms.d_gates.shift.add_(d_y)
    u = d_y.mul_(norms.gates.gain)
    projection = (u * x_hat).sum(-1, keepdim=True)
    return u.addcmul_(x_hat, projection, value=-1 / x_hat.shape[-1]).mul_(scale)


def normalize_state(x: Tensor, norms: Norms) -> tuple[Tensor, NormedState]:
    """Normalize x (B, H)."""
    y, *stats = torch.native_layer_norm(x, x.shape[-1:], norms.state.gain, norms.state.shift, EPS)
    return y, NormedState(x, *stats)


def normalize_state_back(d_y: Tensor, saved: NormedState, norms: Norms) -> Tensor:
    """Return the gradient of x (B, H)."""
    x, mean, scale = saved
    needs_grad = norms.d_state is not None
    d_x, d_gain, d_shift = _layer_norm_backward(
        d_y, x, x.shape[-1:], mean, scale, *norms.state, (True, needs_grad, needs_grad)
    )
    if norms.d_state:
        norms.d_state.gain.add_(d_gain)
        norms.d_state.shift.add_(d_shift)
    return d_x
