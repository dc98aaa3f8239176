"""Forward and backward step of the GRU cell; r, z, h_n, x_n share one buffer."""

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

SUMS, IN_PLACE = 4, False  # number of sums per step; whether h may share their memory


class StepSums(NamedTuple):
    """Preactivations of one step."""

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


def rows(table: Tensor, bias: Tensor) -> Tensor:
    """Return the input table (V, 4·H): r and z with their biases, the bias of h_n, and x_n."""
    hidden = table.shape[1] // 3
    r_z, n = table.split((2 * hidden, hidden), dim=1)
    return torch.cat([F.pad(r_z, (0, hidden)) + bias, n], dim=1)


def parts(sums: Tensor) -> StepSums:
    """Name the preactivations (…, 4, H) of one step; they share memory."""
    return StepSums(sums[..., :2, :], *sums.unbind(-2))


def step(sums: StepSums, state: HiddenState, norms: Norms | None, h: Tensor) -> tuple[HiddenState, SavedForBackward]:
    gates, r, z, h_n, x_n = sums
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
    at: SavedForBackward, d_state: HiddenState, above: Tensor, norms: Norms | None, d_sums: StepSums
) -> HiddenState:
    r, z, n = at.r, at.z, at.n
    kept = d_state.h * z
    sigmoid_back(torch.sub(at.h_before, n, out=d_sums.z).mul_(d_state.h), z, out=d_sums.z)
    d_n = torch.sub(d_state.h, kept)
    d_n = tanh_back(d_n, n, out=d_n)
    if norms and at.normed_n:
        d_n = normalize_state_back(d_n, at.normed_n, norms)
    d_sums.x_n.copy_(d_n)
    torch.mul(d_n, r, out=d_sums.h_n)
    sigmoid_back(torch.mul(d_n, at.h_n, out=d_sums.r), r, out=d_sums.r)
    if norms and at.normed:
        normalize_gates_back(d_sums.gates, at.normed, norms)
    return HiddenState(kept.add_(above))
