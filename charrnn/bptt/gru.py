"""The GRU cell over a whole sequence; the gates lie side by side in one buffer, r, z, n."""

from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.bptt.norm import Norm, Normalised, back, gradients, look_up
from charrnn.cells import HiddenState


class Tape(NamedTuple):
    """What reading leaves behind."""

    h: Tensor  # (T+1, B, H), the first one is where the reading began
    gates: Tensor  # (T, B, 3, H)
    h_n: Tensor  # (T, B, H) what the state says to the candidate, before the reset
    normalised: Normalised | None

    @property
    def last(self) -> HiddenState:
        return HiddenState(self.h[-1])


class Local(NamedTuple):
    """The derivatives within each step; on the way back the first three become gradients."""

    d_normed: Tensor  # (T, B, 3, H) of z and n by h', and of r by n's sum, before they are squashed
    d_sum: Tensor | None  # (T, B, 3, H) room for the gradient before the norm, where there is one
    d_packed: Tensor  # (T, B, 3, H) room for the gradient of W_hh h + b: n's share is behind the reset
    r: Tensor  # (T, B, H)
    z: Tensor  # (T, B, H)
    normalised: Normalised | None

    @property
    def d_input(self) -> Tensor:
        return (self.d_normed if self.d_sum is None else self.d_sum).flatten(-2)

    @property
    def d_from_state(self) -> Tensor:
        return self.d_packed.flatten(-2)

    def norm_gradients(self) -> tuple[Tensor, Tensor]:
        assert self.normalised is not None
        return gradients(self.d_normed, self.normalised.x_hat)


def read(table: Tensor, ids: Tensor, weight: Tensor, bias: Tensor, norm: Norm | None, state: HiddenState) -> Tape:
    steps, batch = ids.shape
    hidden = state.h.shape[-1]
    h = table.new_empty(steps + 1, batch, hidden)
    h[0] = state.h
    sums = look_up(table, ids, out=table.new_empty(steps, batch, 3 * hidden))
    gates = sums.view(steps, batch, 3, hidden)
    h_n = table.new_empty(steps, batch, hidden)
    normalised = None if norm is None else Normalised.empty(gates)
    weight_T = weight.t()
    from_state = table.new_empty(batch, 3 * hidden)
    for t in range(steps):
        torch.addmm(bias, h[t], weight_T, out=from_state)
        h_n[t] = from_state[:, 2 * hidden :]
        r_z, n = sums[t, :, : 2 * hidden], gates[t, :, 2]
        r_z.add_(from_state[:, : 2 * hidden])
        if norm is not None and normalised is not None:
            x_hat = normalised.put(t, gates[t, :, :2], norm.eps, slice(0, 2))
            torch.addcmul(norm.shift[:2], x_hat, norm.gain[:2], out=gates[t, :, :2])
        r_z.sigmoid_()
        r, z = gates[t, :, 0], gates[t, :, 1]
        n.addcmul_(r, h_n[t])
        if norm is not None and normalised is not None:
            x_hat = normalised.put(t, gates[t, :, 2:], norm.eps, slice(2, 3))
            torch.addcmul(norm.shift[2], x_hat[:, 0], norm.gain[2], out=n)
        n.tanh_()
        torch.lerp(n, h[t], z, out=h[t + 1])
    return Tape(h, gates, h_n, normalised)


def local(tape: Tape) -> Local:
    r, z, n = tape.gates.unbind(2)
    d_normed = torch.empty_like(tape.gates)
    torch.mul(torch.addcmul(r, r, r, value=-1), tape.h_n, out=d_normed[:, :, 0])
    torch.mul(torch.addcmul(z, z, z, value=-1), tape.h[:-1] - n, out=d_normed[:, :, 1])
    torch.mul(1 - z, 1 - n * n, out=d_normed[:, :, 2])
    d_sum = None if tape.normalised is None else torch.empty_like(d_normed)
    return Local(d_normed, d_sum, torch.empty_like(d_normed), r, z, tape.normalised)


def step_back(at: Local, d_state: HiddenState, above: Tensor, weight: Tensor, norm: Norm | None) -> HiddenState:
    d_sum = at.d_normed
    d_sum[:, 1:].mul_(d_state.h[:, None])
    if norm is None or at.normalised is None or at.d_sum is None:
        d_sum[:, 0].mul_(d_sum[:, 2])
    else:
        x_hat, scale = at.normalised
        d_n = back(at.d_normed[:, 2], norm.gain[2], x_hat[:, 2], scale[:, 2], out=at.d_sum[:, 2])
        at.d_normed[:, 0].mul_(d_n)
        back(at.d_normed[:, :2], norm.gain[:2], x_hat[:, :2], scale[:, :2], out=at.d_sum[:, :2])
        d_sum = at.d_sum
    at.d_packed[:, :2] = d_sum[:, :2]
    torch.mul(d_sum[:, 2], at.r, out=at.d_packed[:, 2])
    return HiddenState(torch.addcmul(above, d_state.h, at.z).addmm_(at.d_packed.flatten(1), weight))
