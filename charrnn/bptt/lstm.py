"""The LSTM cell over a whole sequence; the gates lie side by side in one buffer, i, f, g, o."""

from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.bptt.norm import Norm, centre, normalise, normalise_back, rescale
from charrnn.bptt.steps import Room, look_up, sigmoid_back, tanh_back
from charrnn.cells import LSTMState

FROM_INPUT = (0, 1, 2, 3)  # the sums that hear W_ih x; all hear W_hh h + b
NORMED, CENTRED = (4, 1), 4  # what is normalised together: the gates, c; how many sums lose their mean in the weights


class Tape(NamedTuple):
    """What reading leaves behind."""

    h: Tensor  # (T+1, B, H), the first one is where the reading began
    c: Tensor  # (T+1, B, H), likewise
    gates: Tensor  # (T, B, 4, H); with layer norm x̂, before gain, shift and squash
    scale: Tensor | None  # (T, B, 4, 1) with layer norm

    @property
    def last(self) -> LSTMState:
        return LSTMState(self.h[-1], self.c[-1])


class Local(NamedTuple):
    """What the way back needs of each step."""

    c_before: Tensor  # (T, B, H)
    c: Tensor  # (T, B, H)
    gates: Tensor  # (T, B, 4, H)
    scale: Tensor | None


def read(table: Tensor, ids: Tensor, weight: Tensor, bias: Tensor, norms: tuple[Norm, ...], state: LSTMState) -> Tape:
    h, c = table.new_empty(2, len(ids) + 1, *state.h.shape)
    h[0], c[0] = state
    gates = table.new_empty(*ids.shape, 4, h.shape[-1])
    scale = table.new_empty(*ids.shape, 4, 1) if norms else None
    weight_T = weight.t().contiguous()
    all_sums = look_up(table + bias, ids, out=gates.flatten(2))
    scales = gates if scale is None else scale
    for h_before, h_t, c_before, c_t, now, s, sums in zip(h, h[1:], c, c[1:], gates, scales, all_sums, strict=False):
        sums.addmm_(h_before, weight_T)
        if norms:
            now = rescale(normalise(now, norms[0], s), norms[0])
        i, f, g, o = squash(now)
        torch.mul(f, c_before, out=c_t).addcmul_(i, g)
        torch.mul(o, squash_c(c_t, norms)[0], out=h_t)
    return Tape(h, c, gates, scale)


def squash(sums: Tensor) -> tuple[Tensor, ...]:
    """The gates, in place of what they are before: (B, 4, H) -> i, f, g, o."""
    i, f, g, o = sums.unbind(1)
    g.mul_(2)
    sums.sigmoid_()
    g.mul_(2).sub_(1)  # tanh x = 2 sigmoid(2x) − 1: one pass over all four instead of three
    return i, f, g, o


def squash_c(c: Tensor, norms: tuple[Norm, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """tanh(c) (B, H), behind its layer norm; ĉ (B, 1, H) and its scale."""
    if not norms:
        return torch.tanh(c), c, c
    c_hat = centre(c[:, None].clone())
    scale = c.new_empty(len(c), 1, 1)
    normalise(c_hat, norms[1], scale)
    return rescale(c_hat, norms[1])[:, 0].tanh_(), c_hat, scale


def local(tape: Tape) -> Local:
    return Local(tape.c[:-1], tape.c[1:], tape.gates, tape.scale)


def step_back(at: Local, d_state: LSTMState, above: Tensor, norms: tuple[Norm, ...], room: Room) -> LSTMState:
    i, f, g, o = squash(rescale(at.gates, norms[0])) if norms else at.gates.unbind(1)
    tanh_c, c_hat, c_scale = squash_c(at.c, norms)
    d_y = room.d_shift[:, :4] if norms else room.d_sums
    d_i, d_f, d_g, d_o = d_y.unbind(1)
    d_h, d_c = d_state
    sigmoid_back(torch.mul(d_h, tanh_c, out=d_o), o, out=d_o)
    through_tanh = d_h * o
    if norms:
        d_shift_c = room.d_shift[:, 4]
        tanh_back(through_tanh, tanh_c, out=d_shift_c)
        normalise_back(d_shift_c[:, None], c_hat, c_scale, norms[1], room.d_gain[:, 4:], out=through_tanh[:, None])
        centre(through_tanh)
    else:
        tanh_back(through_tanh, tanh_c, out=through_tanh)
    d_c = through_tanh.add_(d_c)
    sigmoid_back(torch.mul(d_c, g, out=d_i), i, out=d_i)
    sigmoid_back(torch.mul(d_c, at.c_before, out=d_f), f, out=d_f)
    tanh_back(torch.mul(d_c, i, out=d_g), g, out=d_g)
    if norms and at.scale is not None:
        normalise_back(d_y, at.gates, at.scale, norms[0], room.d_gain[:, :4], out=room.d_sums)
    return LSTMState(above, d_c.mul_(f))
