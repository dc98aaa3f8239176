"""Forward and backward step of the LSTM cell; preactivations share one buffer."""

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

BLOCKS, IN_PLACE = 4, False  # preactivations per unit; whether h may overwrite them


class Preactivations(NamedTuple):
    """Preactivations of a step."""

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


def add_bias(table: Tensor, bias: Tensor) -> Tensor:
    return table + bias


def split(packed: Tensor) -> Preactivations:
    return Preactivations(packed, *packed.unbind(-2))


def step(pre: Preactivations, state: LSTMState, norms: Norms | None, h: Tensor) -> tuple[LSTMState, SavedForBackward]:
    gates, i, f, g, o = pre
    normed = normed_c = None
    if norms:
        gates, normed = normalize_gates(gates, norms)
        i, f, g, o = gates.unbind(1)
    g.add_(g)
    gates.sigmoid_()
    g.add_(g).sub_(1)  # tanh x = 2 sigmoid(2x) − 1: one pass over all four instead of three
    c = tanh_input = torch.mul(f, state.c).addcmul_(i, g)
    if norms:
        tanh_input, normed_c = normalize_state(c, norms)
    tanh_c = torch.tanh(tanh_input)
    torch.mul(o, tanh_c, out=h)
    return LSTMState(h, c), SavedForBackward(i, f, g, o, state.c, tanh_c, normed, normed_c)


def step_back(
    saved: SavedForBackward, d_state: LSTMState, d_h_above: Tensor, norms: Norms | None, d_pre: Preactivations
) -> LSTMState:
    i, f, g, o = saved.i, saved.f, saved.g, saved.o
    d_h, d_c = d_state
    d_tanh_input = torch.mul(d_h, o)
    d_tanh_input = tanh_back(d_tanh_input, saved.tanh_c, out=d_tanh_input)
    if norms and saved.normed_c:
        d_tanh_input = normalize_state_back(d_tanh_input, saved.normed_c, norms)
    d_c = d_tanh_input.add_(d_c)
    sigmoid_back(torch.mul(d_h, saved.tanh_c, out=d_pre.o), o, out=d_pre.o)
    sigmoid_back(torch.mul(d_c, g, out=d_pre.i), i, out=d_pre.i)
    sigmoid_back(torch.mul(d_c, saved.c_before, out=d_pre.f), f, out=d_pre.f)
    tanh_back(torch.mul(d_c, i, out=d_pre.g), g, out=d_pre.g)
    if norms and saved.normed:
        normalize_gates_back(d_pre.gates, saved.normed, norms)
    return LSTMState(d_h_above, d_c.mul_(f))
