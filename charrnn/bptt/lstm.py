"""Forward and backward step of the LSTM cell; i, f, g, o share one buffer."""

from typing import NamedTuple

import torch
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
from charrnn.cells import LSTMState

SUMS, IN_PLACE = 4, False  # number of sums per step; whether h may share their memory


class StepSums(NamedTuple):
    """The sums of a step, by name."""

    gates: Tensor  # (…, B, 4, H)
    i: Tensor  # (…, B, H)
    f: Tensor
    g: Tensor
    o: Tensor


class SavedForBackward(NamedTuple):
    """Values of one step saved for the backward pass."""

    i: Tensor  # (B, H)
    f: Tensor
    g: Tensor
    o: Tensor
    c_before: Tensor
    tanh_c: Tensor
    normed: NormedGates | None
    normed_c: NormedState | None


def rows(table: Tensor, bias: Tensor) -> Tensor:
    return table + bias


def parts(sums: Tensor) -> StepSums:
    return StepSums(sums, *sums.unbind(-2))


def step(sums: StepSums, state: LSTMState, norms: Norms | None, h: Tensor) -> tuple[LSTMState, SavedForBackward]:
    gates, i, f, g, o = sums
    normed = normed_c = None
    if norms:
        gates, normed = normalize_gates(gates, norms)
        i, f, g, o = gates.unbind(1)
    g.add_(g)
    gates.sigmoid_()
    g.add_(g).sub_(1)  # tanh x = 2 sigmoid(2x) − 1: one pass over all four instead of three
    c = shown = torch.mul(f, state.c).addcmul_(i, g)
    if norms:
        shown, normed_c = normalize_state(c, norms)
    tanh_c = torch.tanh(shown)
    torch.mul(o, tanh_c, out=h)
    return LSTMState(h, c), SavedForBackward(i, f, g, o, state.c, tanh_c, normed, normed_c)


def step_back(
    at: SavedForBackward, d_state: LSTMState, above: Tensor, norms: Norms | None, d_sums: StepSums
) -> LSTMState:
    i, f, g, o = at.i, at.f, at.g, at.o
    d_h, d_c = d_state
    d_shown = torch.mul(d_h, o)
    d_shown = tanh_back(d_shown, at.tanh_c, out=d_shown)
    if norms and at.normed_c:
        d_shown = normalize_state_back(d_shown, at.normed_c, norms)
    d_c = d_shown.add_(d_c)
    sigmoid_back(torch.mul(d_h, at.tanh_c, out=d_sums.o), o, out=d_sums.o)
    sigmoid_back(torch.mul(d_c, g, out=d_sums.i), i, out=d_sums.i)
    sigmoid_back(torch.mul(d_c, at.c_before, out=d_sums.f), f, out=d_sums.f)
    tanh_back(torch.mul(d_c, i, out=d_sums.g), g, out=d_sums.g)
    if norms and at.normed:
        normalize_gates_back(d_sums.gates, at.normed, norms)
    return LSTMState(above, d_c.mul_(f))
