"""A step of the vanilla cell: h_t = tanh(W_ih x_t + W_hh h_{t−1} + b), with layer norm before the tanh."""

from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.bptt.activation_grads import tanh_back
from charrnn.bptt.layer_norm import NormedAlone, Norms, normalise_alone, normalise_alone_back
from charrnn.cells import HiddenState

SUMS, IN_PLACE = 1, True  # how many sums there are; whether h may lie where they lay


class Parts(NamedTuple):
    """What is summed, by name."""

    h: Tensor  # (…, B, H)


class Local(NamedTuple):
    """What a step leaves behind for the way back."""

    h: Tensor  # (B, H)
    normed: NormedAlone | None


def rows(table: Tensor, bias: Tensor) -> Tensor:
    return table + bias


def parts(sums: Tensor) -> Parts:
    return Parts(sums[..., 0, :])


def step(sums: Parts, state: HiddenState, norms: Norms | None, h: Tensor) -> tuple[HiddenState, Local]:
    x, normed = sums.h, None
    if norms:
        x, normed = normalise_alone(x, norms)
    torch.tanh(x, out=h)
    return HiddenState(h), Local(h, normed)


def step_back(at: Local, d_state: HiddenState, above: Tensor, norms: Norms | None, d_sums: Parts) -> HiddenState:
    tanh_back(d_state.h, at.h, out=d_sums.h)
    if norms and at.normed:
        d_sums.h.copy_(normalise_alone_back(d_sums.h, at.normed, norms))
    return HiddenState(above)
