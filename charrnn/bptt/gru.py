"""Forward and backward step of the GRU cell; preactivations share one buffer."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from charrnn.bptt.activation_grads import sigmoid_back, tanh_back
from charrnn.bptt.layer_norm import (
    NormedGates,
    NormedState,
    Norms,
    normalize_gates,
    normalize_gates_back,
    normalize_state,
    normalize_state_back,
)
from charrnn.cells import HiddenState

BLOCKS, IN_PLACE = 4, False  # preactivations per unit; whether h may overwrite them


class Preactivations(NamedTuple):
    """Preactivations of a step; those of n are split by origin."""

    gates: Tensor  # (…, B, 2, H)
    r: Tensor  # (…, B, H)
    z: Tensor
    h_n: Tensor  # from the state only
    x_n: Tensor  # from the input only


class SavedForBackward(NamedTuple):
    """Values of one step saved for the backward pass."""

    h_before: Tensor  # (B, H)
    r: Tensor
    z: Tensor
    h_n: Tensor
    n: Tensor
    normed: NormedGates | None
    normed_n: NormedState | None


def add_bias(table: Tensor, bias: Tensor) -> Tensor:
    """Return the input table (V, 4·H): r + b_r, z + b_z, b_n and x_n."""
    hidden = table.shape[1] // 3
    r_z, n = table.split((2 * hidden, hidden), dim=1)
    return torch.cat([F.pad(r_z, (0, hidden)) + bias, n], dim=1)


def split(packed: Tensor) -> Preactivations:
    """Name the preactivations (…, 4, H); the results are views."""
    return Preactivations(packed[..., :2, :], *packed.unbind(-2))


def step(
    pre: Preactivations, state: HiddenState, norms: Norms | None, h: Tensor
) -> tuple[HiddenState, SavedForBackward]:
    gates, r, z, h_n, x_n = pre
    normed = normed_n = None
    if norms:
        gates, normed = normalize_gates(gates, norms)
        r, z = gates.unbind(1)
    gates.sigmoid_()
    n = torch.addcmul(x_n, r, h_n)
    if norms:
        n, normed_n = normalize_state(n, norms)
    n.tanh_()
    torch.lerp(n, state.h, z, out=h)
    return HiddenState(h), SavedForBackward(state.h, r, z, h_n, n, normed, normed_n)


def step_back(
    saved: SavedForBackward, d_state: HiddenState, d_h_above: Tensor, norms: Norms | None, d_pre: Preactivations
) -> HiddenState:
    r, z, n = saved.r, saved.z, saved.n
    d_h_before = d_state.h * z  # through z h; the path through W_hh is added by the caller
    sigmoid_back(torch.sub(saved.h_before, n, out=d_pre.z).mul_(d_state.h), z, out=d_pre.z)
    d_n = torch.sub(d_state.h, d_h_before)
    d_n = tanh_back(d_n, n, out=d_n)
    if norms and saved.normed_n:
        d_n = normalize_state_back(d_n, saved.normed_n, norms)
    d_pre.x_n.copy_(d_n)
    torch.mul(d_n, r, out=d_pre.h_n)
    sigmoid_back(torch.mul(d_n, saved.h_n, out=d_pre.r), r, out=d_pre.r)
    if norms and saved.normed:
        normalize_gates_back(d_pre.gates, saved.normed, norms)
    return HiddenState(d_h_before.add_(d_h_above))
