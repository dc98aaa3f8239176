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
from charrnn.bptt.norm import Norm
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
    weight = cell.W_hh.weight if weight is None else weight
    norm = norm_of(cell)
    gain, shift, eps = norm or (None, None, 0.0)
    how = WAYS[type(cell)], type(state), eps
    h, *last = _ThroughTime.apply(how, ids, table, weight, cell.W_hh.bias, gain, shift, *state)
    return h, type(state)(*last)


def norm_of(cell: Cell) -> Norm | None:
    """What the cell normalises with; None where it has no layer norm."""
    if not cell.layer_norm:
        return None
    layers = [cell.norm[name] for name in cell.normed]
    return Norm(
        torch.stack([layer.weight for layer in layers]), torch.stack([layer.bias for layer in layers]), layers[0].eps
    )


class _ThroughTime(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        how: tuple[Any, Any, float],
        ids: Tensor,
        table: Tensor,
        weight: Tensor,
        bias: Tensor,
        gain: Tensor | None,
        shift: Tensor | None,
        *state: Tensor,
    ) -> Any:
        way, State, eps = how
        norm = None if gain is None or shift is None else Norm(gain, shift, eps)
        ctx.tape = way.read(table, ids, weight, bias, norm, State(*state))
        ctx.way, ctx.norm = way, norm
        ctx.save_for_backward(ids, table, weight)
        return ctx.tape.h[1:], *(part.clone() for part in ctx.tape.last)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_h: Tensor, *d_last: Tensor) -> Any:
        ids, table, weight = ctx.saved_tensors
        way, tape, norm = ctx.way, ctx.tape, ctx.norm
        local = way.local(tape)
        last = tape.last
        d_state = type(last)(*d_last)
        d_state = d_state._replace(h=d_state.h + d_h[-1])
        nothing = torch.zeros_like(d_state.h)
        for t in range(len(ids) - 1, -1, -1):
            d_state = way.step_back(at(local, t), d_state, d_h[t - 1] if t else nothing, weight, norm)
        d_rows = local.d_input.view(ids.numel(), -1)
        d_sums = local.d_from_state.view(ids.numel(), -1)
        d_table = torch.zeros_like(table).index_add_(0, ids.reshape(-1), d_rows)
        d_bias = d_table.sum(0) if local.d_from_state is local.d_input else d_sums.sum(0)
        d_weight = d_sums.t() @ tape.h[:-1].view(ids.numel(), -1)
        d_norm = (None, None) if norm is None else local.norm_gradients()
        return None, None, d_table, d_weight, d_bias, *d_norm, *d_state


def at(local: Any, where: Any) -> Any:
    """The derivatives at some of the steps: every tensor indexed by `where`."""
    if local is None or isinstance(local, Tensor):
        return local if local is None else local[where]
    return type(local)(*(at(part, where) for part in local))


class WalkBack:
    """A text once read, and the way back through it from many positions at once."""

    def __init__(self, cell: Cell, table: Tensor, ids: Tensor):
        """Read ids (N, 1) from a zero state; `table` as in `through_time`."""
        self._way, self._norm, self._weight = WAYS[type(cell)], norm_of(cell), cell.W_hh.weight
        start = cell.initial_state(1)
        tape = self._way.read(table, ids, cell.W_hh.weight, cell.W_hh.bias, self._norm, start)
        self._local = at(self._way.local(tape), (slice(None), 0))  # every tensor (N, …)
        self._state = type(start)
        self.h = tape.h[1:, 0]  # (N, H)

    def from_h(self, d_h: Tensor) -> Any:
        """The gradient of a state where only its h is looked at: d_h (P, H)."""
        return self._state(d_h, *(torch.zeros_like(d_h) for _ in self._state._fields[1:]))

    def back(self, d_state: Any, positions: Tensor) -> Any:
        """From the gradient of the states at these positions (P,) to that of the states one character before."""
        nothing = torch.zeros_like(d_state.h)
        return self._way.step_back(at(self._local, positions), d_state, nothing, self._weight, self._norm)
