"""The GRU cell over a whole sequence; r, z and what n hears of the state lie side by side in one buffer."""

from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.bptt.norm import Norm, centre, normalise, normalise_back, rescale
from charrnn.bptt.steps import look_up, sigmoid_back, tanh_back
from charrnn.cells import HiddenState

SUMS, FROM_INPUT = 4, (0, 1, 3)  # r, z, what n hears of the state, n; those that hear W_ih x
NORMED, CENTRED = (2, 1), 2  # what is normalised together; how many sums lose their mean in the weights


class Tape(NamedTuple):
    """What reading leaves behind."""

    h: Tensor  # (T+1, B, H), the first one is where the reading began
    heard: Tensor  # (T, B, 3, H) r, z (with layer norm x̂, before gain, shift and squash); what n hears of the state
    n: Tensor  # (T, B, 1, H) (likewise)
    scale: Tensor | None  # (T, B, 3, 1) with layer norm

    @property
    def last(self) -> HiddenState:
        return HiddenState(self.h[-1])


class Local(NamedTuple):
    """What the way back needs of each step."""

    h_before: Tensor  # (T, B, H)
    heard: Tensor  # (T, B, 3, H)
    n: Tensor  # (T, B, 1, H)
    scale: Tensor | None


def read(table: Tensor, ids: Tensor, weight: Tensor, bias: Tensor, norms: tuple[Norm, ...], state: HiddenState) -> Tape:
    hidden = state.h.shape[-1]
    h = table.new_empty(len(ids) + 1, *state.h.shape)
    h[0] = state.h
    heard, n = table.new_empty(*ids.shape, 3, hidden), table.new_empty(*ids.shape, 1, hidden)
    scale = table.new_empty(*ids.shape, 3, 1) if norms else None
    weight_T = weight.t().contiguous()
    x_r_z, x_n = table.split((2 * hidden, hidden), dim=1)
    x_sums = torch.cat([x_r_z, torch.zeros_like(x_n)], dim=1) + bias
    looked_up = zip(look_up(x_sums, ids, heard.flatten(2)), look_up(x_n.contiguous(), ids, n.flatten(2)), strict=True)
    for t, (sums, sum_n) in enumerate(looked_up):
        sums.addmm_(h[t], weight_T)
        r_z, h_n = heard[t].split((2, 1), dim=1)
        if norms and scale is not None:
            r_z = rescale(normalise(r_z, norms[0], scale[t, :, :2]), norms[0])
        r, z = r_z.sigmoid_().unbind(1)
        now = sum_n.addcmul_(r, h_n[:, 0])
        if norms and scale is not None:
            now = rescale(normalise(centre(n[t]), norms[1], scale[t, :, 2:]), norms[1])[:, 0]
        torch.lerp(now.tanh_(), h[t], z, out=h[t + 1])
    return Tape(h, heard, n, scale)


def local(tape: Tape) -> Local:
    return Local(tape.h[:-1], tape.heard, tape.n, tape.scale)


def step_back(at: Local, d_state: HiddenState, above: Tensor, norms: tuple[Norm, ...], d_sums: Tensor) -> HiddenState:
    r, z, h_n = at.heard.unbind(1)
    n = at.n[:, 0]
    if norms:
        r, z = rescale(at.heard[:, :2], norms[0]).sigmoid_().unbind(1)
        n = rescale(at.n, norms[1])[:, 0].tanh_()
    d_r, d_z, d_h_n, d_n = d_sums.unbind(1)
    kept = d_state.h * z
    sigmoid_back(torch.sub(at.h_before, n, out=d_z).mul_(d_state.h), z, out=d_z)
    tanh_back(torch.sub(d_state.h, kept, out=d_n), n, out=d_n)
    if norms and at.scale is not None:
        centre(normalise_back(d_sums[:, 3:], at.n, at.scale[:, 2:], norms[1]))
    torch.mul(d_n, r, out=d_h_n)
    sigmoid_back(torch.mul(d_n, h_n, out=d_r), r, out=d_r)
    if norms and at.scale is not None:
        normalise_back(d_sums[:, :2], at.heard[:, :2], at.scale[:, :2], norms[0])
    return HiddenState(kept.add_(above))
