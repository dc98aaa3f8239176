"""The vanilla cell over a whole sequence: h_t = tanh(W_ih x_t + W_hh h_{t−1} + b), with layer norm before the tanh."""

from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.bptt.norm import Norm, Normalised, back, gradients, look_up
from charrnn.cells import HiddenState


class Tape(NamedTuple):
    """What reading leaves behind."""

    h: Tensor  # (T+1, B, H), the first one is where the reading began
    normalised: Normalised | None

    @property
    def last(self) -> HiddenState:
        return HiddenState(self.h[-1])


class Local(NamedTuple):
    """The derivatives within each step; on the way back they become gradients, before the tanh and before the norm."""

    d_normed: Tensor  # (T, B, H) 1 − h²
    d_sum: Tensor | None  # (T, B, H) room, where there is a layer norm
    normalised: Normalised | None

    @property
    def d_input(self) -> Tensor:
        return self.d_normed if self.d_sum is None else self.d_sum

    @property
    def d_from_state(self) -> Tensor:
        return self.d_input

    def norm_gradients(self) -> tuple[Tensor, Tensor]:
        assert self.normalised is not None
        return gradients(self.d_normed[:, :, None], self.normalised.x_hat)


def read(table: Tensor, ids: Tensor, weight: Tensor, bias: Tensor, norm: Norm | None, state: HiddenState) -> Tape:
    steps, batch = ids.shape
    h = table.new_empty(steps + 1, batch, state.h.shape[-1])
    h[0] = state.h
    look_up(table + bias, ids, out=h[1:])
    weight_T = weight.t()
    if norm is None:
        for t in range(steps):
            h[t + 1].addmm_(h[t], weight_T).tanh_()
        return Tape(h, None)
    normalised = Normalised.empty(h[1:, :, None])
    for t in range(steps):
        x_hat = normalised.put(t, h[t + 1].addmm_(h[t], weight_T)[:, None], norm.eps)
        torch.addcmul(norm.shift, x_hat[:, 0], norm.gain, out=h[t + 1]).tanh_()
    return Tape(h, normalised)


def local(tape: Tape) -> Local:
    h = tape.h[1:]
    slope = torch.addcmul(h.new_ones(()), h, h, value=-1)
    return Local(slope, None if tape.normalised is None else torch.empty_like(slope), tape.normalised)


def step_back(at: Local, d_state: HiddenState, above: Tensor, weight: Tensor, norm: Norm | None) -> HiddenState:
    d_sum = at.d_normed.mul_(d_state.h)
    if norm is not None and at.normalised is not None:
        x_hat, scale = at.normalised
        d_sum = back(at.d_normed, norm.gain[0], x_hat[:, 0], scale[:, 0], out=at.d_sum)
    return HiddenState(torch.addmm(above, d_sum, weight))
