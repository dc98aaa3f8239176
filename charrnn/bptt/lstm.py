"""The LSTM cell over a whole sequence; the gates lie side by side in one buffer, i, f, g, o."""

from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.bptt.norm import Norm, centre, normalise, normalise_back, rescale
from charrnn.bptt.steps import look_up, sigmoid_back, tanh_back
from charrnn.cells import LSTMState

SUMS, FROM_INPUT = 4, (0, 1, 2, 3)  # how many sums there are; those that hear W_ih x
NORMED, CENTRED = (4, 1), 4  # what is normalised together: the gates, c; how many sums lose their mean in the weights


class Tape(NamedTuple):
    """What reading leaves behind."""

    h: Tensor  # (T+1, B, H), the first one is where the reading began
    c: Tensor  # (T+1, B, H), likewise
    gates: Tensor  # (T, B, 4, H); with layer norm x̂, before gain, shift and squash
    c_hat: Tensor | None  # (T, B, 1, H) likewise
    scale: Tensor | None  # (T, B, 5, 1) what the gates and c were multiplied by

    @property
    def last(self) -> LSTMState:
        return LSTMState(self.h[-1], self.c[-1])


class Local(NamedTuple):
    """What the way back needs of each step."""

    c_before: Tensor  # (T, B, H)
    c: Tensor  # (T, B, 1, H) with layer norm x̂
    gates: Tensor  # (T, B, 4, H) with layer norm x̂
    scale: Tensor | None


def read(table: Tensor, ids: Tensor, weight: Tensor, bias: Tensor, norms: tuple[Norm, ...], state: LSTMState) -> Tape:
    h, c = table.new_empty(2, len(ids) + 1, *state.h.shape)
    h[0], c[0] = state
    gates = table.new_empty(*ids.shape, 4, h.shape[-1])
    c_hat, scale = (torch.empty_like(c[1:, :, None]), table.new_empty(*ids.shape, 5, 1)) if norms else (None, None)
    weight_T = weight.t().contiguous()
    for t, sums in enumerate(look_up(table + bias, ids, out=gates.flatten(2))):
        sums.addmm_(h[t], weight_T)
        now, c_t = gates[t], c[t + 1]
        if norms and scale is not None:
            now = rescale(normalise(now, norms[0], scale[t, :, :4]), norms[0])
        i, f, g, o = squash(now)
        torch.mul(f, c[t], out=c_t).addcmul_(i, g)
        if norms and c_hat is not None and scale is not None:
            c_hat[t, :, 0] = c_t
            c_t = rescale(normalise(centre(c_hat[t]), norms[1], scale[t, :, 4:]), norms[1])[:, 0]
        torch.mul(o, torch.tanh(c_t), out=h[t + 1])
    return Tape(h, c, gates, c_hat, scale)


def squash(sums: Tensor) -> tuple[Tensor, ...]:
    """The gates, in place of what they are before: (B, 4, H) -> i, f, g, o."""
    i, f, g, o = sums.unbind(1)
    g.mul_(2)
    sums.sigmoid_()
    g.mul_(2).sub_(1)  # tanh x = 2 sigmoid(2x) − 1: one pass over all four instead of three
    return i, f, g, o


def local(tape: Tape) -> Local:
    return Local(tape.c[:-1], tape.c[1:, :, None] if tape.c_hat is None else tape.c_hat, tape.gates, tape.scale)


def step_back(at: Local, d_state: LSTMState, above: Tensor, norms: tuple[Norm, ...], d_sums: Tensor) -> LSTMState:
    i, f, g, o = squash(rescale(at.gates, norms[0])) if norms else at.gates.unbind(1)
    tanh_c = torch.tanh(rescale(at.c, norms[1]) if norms else at.c)[:, 0]
    d_i, d_f, d_g, d_o = d_sums.unbind(1)
    d_h, d_c = d_state
    sigmoid_back(torch.mul(d_h, tanh_c, out=d_o), o, out=d_o)
    through_tanh = d_h * o
    tanh_back(through_tanh, tanh_c, out=through_tanh)
    if norms and at.scale is not None:
        centre(normalise_back(through_tanh[:, None], at.c, at.scale[:, 4:], norms[1]))
    d_c = through_tanh.add_(d_c)
    sigmoid_back(torch.mul(d_c, g, out=d_i), i, out=d_i)
    sigmoid_back(torch.mul(d_c, at.c_before, out=d_f), f, out=d_f)
    tanh_back(torch.mul(d_c, i, out=d_g), g, out=d_g)
    if norms and at.scale is not None:
        normalise_back(d_sums, at.gates, at.scale[:, :4], norms[0])
    return LSTMState(above, d_c.mul_(f))
