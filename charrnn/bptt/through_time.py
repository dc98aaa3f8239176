"""
One pass over a sequence for every cell: read it, then walk back.

What differs from cell to cell is in `vanilla.py`, `lstm.py` and `gru.py`, each with the same three functions: `read`
(table, ids) leaves a tape, `local` turns a tape into the derivatives within each step, `step_back` carries the gradient
of one state to the state before.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.bptt import gru, lstm, vanilla
from charrnn.bptt.norm import Norm, centred
from charrnn.bptt.steps import at_once
from charrnn.cells import Cell, GRUCell, LSTMCell, VanillaRNNCell

WAYS: dict[type[Cell], Any] = {VanillaRNNCell: vanilla, LSTMCell: lstm, GRUCell: gru}


def through_time(
    cell: Cell, table: Tensor, ids: Tensor, state: Any, weight: Tensor | None = None
) -> tuple[Tensor, Any]:
    """
    The hidden states of a cell that reads ids (T, B) from `state`, and its last state: (T, B, H), state.

    table (V, G·H): row i is what character i says, W_ih x; weight (G·H, H): W_hh, or what dropout leaves of it.
    Differentiable once in all of them.
    """
    gain, shift, eps = stacked(cell)
    how = WAYS[type(cell)], type(state), eps
    weights = sources(cell, table, cell.W_hh.weight if weight is None else weight)
    h, *last = _ThroughTime.apply(how, ids, *weights, gain, shift, *state)
    return h, type(state)(*last)


class _ThroughTime(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        how: tuple[Any, Any, Tensor | None],
        ids: Tensor,
        table: Tensor,
        weight: Tensor,
        bias: Tensor,
        gain: Tensor | None,
        shift: Tensor | None,
        *state: Tensor,
    ) -> Any:
        way, State, eps = how
        tape = way.read(table, ids, weight, bias, norms_of(way, gain, shift, eps), State(*state))
        h = tape.h[1:]
        ctx.way, ctx.tape, ctx.eps = way, tape, eps
        ctx.save_for_backward(ids, table, weight, gain, shift, h)  # h, for a change in place to be noticed
        return h, *(part.clone() for part in tape.last)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_h: Tensor, *d_last: Tensor) -> Any:
        ids, table, weight, gain, shift, _ = ctx.saved_tensors
        way, tape, norms = ctx.way, ctx.tape, norms_of(ctx.way, gain, shift, ctx.eps)
        steps, batch, hidden = d_h.shape
        some = min(steps, at_once(table.device, batch * way.SUMS * hidden))
        d_sums = table.new_empty(some, batch, way.SUMS, hidden)
        each, each_from_state = d_sums.unbind(), d_sums.flatten(2)[..., : len(weight)].unbind()
        d_rows = table.new_zeros(len(table), way.SUMS * hidden)
        d_weight = torch.zeros_like(weight)
        local = each_step(way.local(tape))
        above = [torch.zeros_like(d_h[0]), *d_h]
        d_state = type(tape.last)(*d_last)
        d_state = d_state._replace(h=d_state.h + above.pop())
        for first in range(0, steps, some)[::-1]:
            end = min(steps, first + some)
            for t in range(first, end)[::-1]:
                d_state = way.step_back(local[t], d_state, above.pop(), norms, each[t - first])
                d_state = d_state._replace(h=torch.addmm(d_state.h, each_from_state[t - first], weight))
            rows = d_sums[: end - first].view((end - first) * batch, -1)
            d_rows.index_add_(0, ids[first:end].reshape(-1), rows)
            d_weight.addmm_(rows[:, : len(weight)].t(), tape.h[first:end].view(len(rows), -1))
        d_bias = d_rows[:, : len(weight)].sum(0)
        d_table = d_rows.view(len(table), -1, hidden)[:, way.FROM_INPUT].flatten(1)
        d_gain = torch.cat([norm.d_gain for norm in norms]) if norms else None
        d_shift = torch.cat([norm.d_shift for norm in norms]) if norms else None
        return None, None, d_table, d_weight, d_bias, d_gain, d_shift, *d_state


def each_step(local: Any) -> list[Any]:
    """The derivatives of a whole sequence, step by step: views, taken once."""
    some = [[None] * len(local[0]) if part is None else part.unbind(0) for part in local]
    return [type(local)(*parts) for parts in zip(*some, strict=True)]


def at(local: Any, where: Any) -> Any:
    """The derivatives at some of the steps: every tensor indexed by `where`."""
    return type(local)(*(None if part is None else part[where] for part in local))


def sources(cell: Cell, table: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Table, weight and bias of the cell as its `read` takes them: centred where it normalises their sums."""
    bias, hidden = cell.W_hh.bias, cell.W_hh.in_features
    if not cell.layer_norm:
        return table, weight, bias
    blocks = WAYS[type(cell)].CENTRED
    return centred(table, blocks, hidden), centred(weight.t(), blocks, hidden).t(), centred(bias, blocks, hidden)


def stacked(cell: Cell) -> tuple[Tensor, Tensor, Tensor] | tuple[None, None, None]:
    """Gain, shift and eps of all that the cell normalises, (N, H), (N, H), ()."""
    if not cell.layer_norm:
        return None, None, None
    layers = [cell.norm[name] for name in cell.normed]
    gain, shift = torch.stack([layer.weight for layer in layers]), torch.stack([layer.bias for layer in layers])
    return gain, shift, gain.new_tensor(layers[0].eps)


def norms_of(way: Any, gain: Tensor | None, shift: Tensor | None, eps: Tensor | None) -> tuple[Norm, ...]:
    """What the cell normalises together, part by part; nothing without layer norm."""
    if gain is None or shift is None or eps is None:
        return ()
    parts = zip(gain.split(way.NORMED), shift.split(way.NORMED), strict=True)
    return tuple(Norm(gain, shift, eps, torch.zeros_like(gain), torch.zeros_like(shift)) for gain, shift in parts)


class WalkBack:
    """A text once read, and the way back through it from many positions at once."""

    def __init__(self, cell: Cell, table: Tensor, ids: Tensor):
        """Read ids (N, 1) from a zero state; `table` as in `through_time`."""
        self._way = way = WAYS[type(cell)]
        table, self._weight, bias = sources(cell, table, cell.W_hh.weight)
        self._norms = norms_of(way, *stacked(cell))
        start = cell.initial_state(1)
        tape = way.read(table, ids, self._weight, bias, self._norms, start)
        self._local = at(way.local(tape), (slice(None), 0))  # every tensor (N, …)
        self._state = type(start)
        self.h = tape.h[1:, 0]  # (N, H)

    def from_h(self, d_h: Tensor) -> Any:
        """The gradient of a state where only its h is looked at: d_h (P, H)."""
        return self._state(d_h, *(torch.zeros_like(d_h) for _ in self._state._fields[1:]))

    def back(self, d_state: Any, positions: Tensor) -> Any:
        """From the gradient of the states at these positions (P,) to that of the states one character before."""
        d_h, way = d_state.h, self._way
        d_sums = d_h.new_empty(len(d_h), way.SUMS, d_h.shape[-1])
        d_state = way.step_back(at(self._local, positions), d_state, torch.zeros_like(d_h), self._norms, d_sums)
        return d_state._replace(h=torch.addmm(d_state.h, d_sums.flatten(1)[:, : len(self._weight)], self._weight))
