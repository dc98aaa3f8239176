"""A step of the GRU cell; r, z, what n hears of the state, and what it hears of the input lie side by side."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from charrnn.bptt.activation_grads import sigmoid_back, tanh_back
from charrnn.bptt.layer_norm import (
    NormedAlone,
    NormedGates,
    Norms,
    normalise_alone,
    normalise_alone_back,
    normalise_gates,
    normalise_gates_back,
)
from charrnn.cells import HiddenState

SUMS, IN_PLACE = 4, False  # how many sums there are; whether h may lie where they lay


class Parts(NamedTuple):
    """What is summed, by name."""

    gates: Tensor  # (…, B, 2, H)
    r: Tensor  # (…, B, H)
    z: Tensor
    h_n: Tensor  # of the state alone
    x_n: Tensor  # of the input alone


class Local(NamedTuple):
    """What a step leaves behind for the way back."""

    h_before: Tensor  # (B, H)
    r: Tensor
    z: Tensor
    h_n: Tensor
    n: Tensor
    normed: NormedGates | None
    normed_n: NormedAlone | None


def rows(table: Tensor, bias: Tensor) -> Tensor:
    hidden = table.shape[1] // 3
    r_z, n = table.split((2 * hidden, hidden), dim=1)
    return torch.cat([F.pad(r_z, (0, hidden)) + bias, n], dim=1)


def parts(sums: Tensor) -> Parts:
    return Parts(sums[..., :2, :], *sums.unbind(-2))


def step(sums: Parts, state: HiddenState, norms: Norms | None, h: Tensor) -> tuple[HiddenState, Local]:
    gates, r, z, h_n, x_n = sums
    normed = normed_n = None
    if norms:
        gates, normed = normalise_gates(gates, norms)
        r, z = gates.unbind(1)
    gates.sigmoid_()
    n = torch.addcmul(x_n, r, h_n)
    if norms:
        n, normed_n = normalise_alone(n, norms)
    n.tanh_()
    torch.lerp(n, state.h, z, out=h)
    return HiddenState(h), Local(state.h, r, z, h_n, n, normed, normed_n)


def step_back(at: Local, d_state: HiddenState, above: Tensor, norms: Norms | None, d_sums: Parts) -> HiddenState:
    r, z, n = at.r, at.z, at.n
    kept = d_state.h * z
    sigmoid_back(torch.sub(at.h_before, n, out=d_sums.z).mul_(d_state.h), z, out=d_sums.z)
    d_n = torch.sub(d_state.h, kept)
    d_n = tanh_back(d_n, n, out=d_n)
    if norms and at.normed_n:
        d_n = normalise_alone_back(d_n, at.normed_n, norms)
    d_sums.x_n.copy_(d_n)
    torch.mul(d_n, r, out=d_sums.h_n)
    sigmoid_back(torch.mul(d_n, at.h_n, out=d_sums.r), r, out=d_sums.r)
    if norms and at.normed:
        normalise_gates_back(d_sums.gates, at.normed, norms)
    return HiddenState(kept.add_(above))
