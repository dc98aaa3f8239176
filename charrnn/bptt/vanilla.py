"""The vanilla cell over a whole sequence: h_t = tanh(W_ih x_t + W_hh h_{t−1} + b), with layer norm before the tanh."""

from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.bptt.norm import Norm, normalise, normalise_back, rescale
from charrnn.bptt.steps import look_up, tanh_back
from charrnn.cells import HiddenState

SUMS, FROM_INPUT = 1, (0,)  # how many sums there are; those that hear W_ih x
NORMED, CENTRED = (1,), 1  # what is normalised together; how many sums lose their mean in the weights


class Tape(NamedTuple):
    """What reading leaves behind."""

    h: Tensor  # (T+1, B, H), the first one is where the reading began
    x_hat: Tensor | None  # (T, B, 1, H) with layer norm: before gain and shift
    scale: Tensor | None  # (T, B, 1, 1)

    @property
    def last(self) -> HiddenState:
        return HiddenState(self.h[-1])


class Local(NamedTuple):
    """What the way back needs of each step."""

    h: Tensor  # (T, B, H)
    x_hat: Tensor | None
    scale: Tensor | None


def read(table: Tensor, ids: Tensor, weight: Tensor, bias: Tensor, norms: tuple[Norm, ...], state: HiddenState) -> Tape:
    h = table.new_empty(len(ids) + 1, *state.h.shape)
    h[0] = state.h
    weight_T = weight.t().contiguous()
    if not norms:
        for t, sums in enumerate(look_up(table + bias, ids, out=h[1:])):
            sums.addmm_(h[t], weight_T).tanh_()
        return Tape(h, None, None)
    x_hat, scale = table.new_empty(*ids.shape, 1, h.shape[-1]), table.new_empty(*ids.shape, 1, 1)
    for t, sums in enumerate(look_up(table + bias, ids, out=x_hat.flatten(2))):
        sums.addmm_(h[t], weight_T)
        torch.tanh(rescale(normalise(x_hat[t], norms[0], scale[t]), norms[0])[:, 0], out=h[t + 1])
    return Tape(h, x_hat, scale)


def local(tape: Tape) -> Local:
    return Local(tape.h[1:], tape.x_hat, tape.scale)


def step_back(at: Local, d_state: HiddenState, above: Tensor, norms: tuple[Norm, ...], d_sums: Tensor) -> HiddenState:
    tanh_back(d_state.h, at.h, out=d_sums[:, 0])
    if norms and at.x_hat is not None and at.scale is not None:
        normalise_back(d_sums, at.x_hat, at.scale, norms[0])
    return HiddenState(above)
