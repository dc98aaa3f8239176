"""The LSTM cell over a whole sequence; the gates lie side by side in one buffer, i, f, g, o."""

from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.bptt.norm import Norm, Normalised, back, gradients, look_up
from charrnn.cells import LSTMState


class Tape(NamedTuple):
    """What reading leaves behind."""

    h: Tensor  # (T+1, B, H), the first one is where the reading began
    c: Tensor  # (T+1, B, H), likewise
    gates: Tensor  # (T, B, 4, H)
    tanh_c: Tensor  # (T, B, H), of what c is after its layer norm
    normalised: Normalised | None  # of the gates
    normalised_c: Normalised | None

    @property
    def last(self) -> LSTMState:
        return LSTMState(self.h[-1], self.c[-1])


class Local(NamedTuple):
    """The derivatives within each step; on the way back the first two become gradients."""

    d_normed: Tensor  # (T, B, 4, H) of i, f, g by c' and of o by h', before they are squashed
    d_c_normed: Tensor  # (T, B, H) of c' by h', before its tanh
    f: Tensor  # (T, B, H)
    d_sum: Tensor | None  # (T, B, 4, H) room for the gradient before the norm, where there is one
    normalised: Normalised | None
    normalised_c: Normalised | None

    @property
    def d_input(self) -> Tensor:
        return (self.d_normed if self.d_sum is None else self.d_sum).flatten(-2)

    @property
    def d_from_state(self) -> Tensor:
        return self.d_input

    def norm_gradients(self) -> tuple[Tensor, Tensor]:
        assert self.normalised is not None and self.normalised_c is not None
        of_gates = gradients(self.d_normed, self.normalised.x_hat)
        of_c = gradients(self.d_c_normed[:, :, None], self.normalised_c.x_hat)
        return torch.cat([of_gates[0], of_c[0]]), torch.cat([of_gates[1], of_c[1]])


def read(table: Tensor, ids: Tensor, weight: Tensor, bias: Tensor, norm: Norm | None, state: LSTMState) -> Tape:
    steps, batch = ids.shape
    hidden = state.h.shape[-1]
    h, c = table.new_empty(2, steps + 1, batch, hidden)
    h[0], c[0] = state
    sums = look_up(table + bias, ids, out=table.new_empty(steps, batch, 4 * hidden))
    gates = sums.view(steps, batch, 4, hidden)
    tanh_c = table.new_empty(steps, batch, hidden)
    normalised = normalised_c = None
    if norm is not None:
        normalised, normalised_c = Normalised.empty(gates), Normalised.empty(tanh_c[:, :, None])
    weight_T = weight.t()
    for t in range(steps):
        sums[t].addmm_(h[t], weight_T)
        if norm is not None and normalised is not None:
            torch.addcmul(norm.shift[:4], normalised.put(t, gates[t], norm.eps), norm.gain[:4], out=gates[t])
        gates[t, :, :2].sigmoid_()
        gates[t, :, 2].tanh_()
        gates[t, :, 3].sigmoid_()
        i, f, g, o = gates[t].unbind(1)
        torch.mul(f, c[t], out=c[t + 1]).addcmul_(i, g)
        squashed = c[t + 1]
        if norm is not None and normalised_c is not None:
            x_hat = normalised_c.put(t, squashed[:, None], norm.eps)
            squashed = torch.addcmul(norm.shift[4], x_hat[:, 0], norm.gain[4])
        torch.mul(o, torch.tanh(squashed, out=tanh_c[t]), out=h[t + 1])
    return Tape(h, c, gates, tanh_c, normalised, normalised_c)


def local(tape: Tape) -> Local:
    i, f, g, o = tape.gates.unbind(2)
    d_normed = torch.empty_like(tape.gates)
    for gate, partner, out in ((i, g, 0), (f, tape.c[:-1], 1), (o, tape.tanh_c, 3)):
        torch.mul(torch.addcmul(gate, gate, gate, value=-1), partner, out=d_normed[:, :, out])
    torch.addcmul(i, torch.mul(i, g), g, value=-1, out=d_normed[:, :, 2])
    d_c_normed = torch.addcmul(o, o * tape.tanh_c, tape.tanh_c, value=-1)
    d_sum = None if tape.normalised is None else torch.empty_like(d_normed)
    return Local(d_normed, d_c_normed, f, d_sum, tape.normalised, tape.normalised_c)


def step_back(at: Local, d_state: LSTMState, above: Tensor, weight: Tensor, norm: Norm | None) -> LSTMState:
    d_h, d_c = d_state
    d_sum = at.d_normed
    d_sum[:, 3].mul_(d_h)
    if norm is None or at.normalised is None or at.normalised_c is None:
        d_c = torch.addcmul(d_c, d_h, at.d_c_normed)
        d_sum[:, :3].mul_(d_c[:, None])
    else:
        x_hat, scale = at.normalised_c
        through_tanh = at.d_c_normed.mul_(d_h)
        d_c = d_c + back(through_tanh, norm.gain[4], x_hat[:, 0], scale[:, 0], out=torch.empty_like(d_c))
        d_sum[:, :3].mul_(d_c[:, None])
        d_sum = back(at.d_normed, norm.gain[:4], *at.normalised, out=at.d_sum)
    return LSTMState(torch.addmm(above, d_sum.flatten(1), weight), d_c.mul_(at.f))
