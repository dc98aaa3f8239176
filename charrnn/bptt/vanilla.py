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

SUMS, IN_PLACE = 1, True  # number of sums per step; whether h may share their memory


class StepSums(NamedTuple):
    """The sums of a step, by name."""

    h: Tensor  # (…, B, H)


class SavedForBackward(NamedTuple):
    """Values of one step saved for the backward pass."""

    h: Tensor  # (B, H)
    normed: NormedState | None


def rows(table: Tensor, bias: Tensor) -> Tensor:
    return table + bias


def parts(sums: Tensor) -> StepSums:
    return StepSums(sums[..., 0, :])


def step(sums: StepSums, state: HiddenState, norms: Norms | None, h: Tensor) -> tuple[HiddenState, SavedForBackward]:
    x, normed = sums.h, None
    if norms:
        x, normed = normalize_state(x, norms)
    torch.tanh(x, out=h)
    return HiddenState(h), SavedForBackward(h, normed)


def step_back(
    at: SavedForBackward, d_state: HiddenState, above: Tensor, norms: Norms | None, d_sums: StepSums
) -> HiddenState:
    tanh_back(d_state.h, at.h, out=d_sums.h)
    if norms and at.normed:
        d_sums.h.copy_(normalize_state_back(d_sums.h, at.normed, norms))
    return HiddenState(above)
