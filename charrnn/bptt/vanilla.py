"""
Forward and backward step of the vanilla cell, h' = tanh(W_ih x + W_hh h + b).

Layer norm applies before the tanh.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.bptt.activation_grads import tanh_back
from charrnn.bptt.layer_norm import NormedState, Norms, normalize_state, normalize_state_back
from charrnn.cells import HiddenState

BLOCKS, IN_PLACE = 1, True  # preactivations per unit; whether h may overwrite them


class Preactivations(NamedTuple):
    """Preactivations of a step."""

    h: Tensor  # (…, B, H)


class SavedForBackward(NamedTuple):
    """Values of one step saved for the backward pass."""

    h: Tensor  # (B, H)
    normed: NormedState | None


def add_bias(table: Tensor, bias: Tensor) -> Tensor:
    return table + bias


def split(packed: Tensor) -> Preactivations:
    return Preactivations(packed[..., 0, :])


def step(
    pre: Preactivations, state: HiddenState, norms: Norms | None, h: Tensor
) -> tuple[HiddenState, SavedForBackward]:
    x, normed = pre.h, None
    if norms:
        x, normed = normalize_state(x, norms)
    torch.tanh(x, out=h)
    return HiddenState(h), SavedForBackward(h, normed)


def step_back(
    saved: SavedForBackward, d_state: HiddenState, d_h_above: Tensor, norms: Norms | None, d_pre: Preactivations
) -> HiddenState:
    tanh_back(d_state.h, saved.h, out=d_pre.h)
    if norms and saved.normed:
        d_pre.h.copy_(normalize_state_back(d_pre.h, saved.normed, norms))
    return HiddenState(d_h_above)
