"""The walk over a sequence, as a function that autograd knows."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.bptt import unroll
from charrnn.bptt.unroll import WAYS, Weights, centred, norms_of, weights_of
from charrnn.cells import Cell


def through_time(
    cell: Cell, table: Tensor, ids: Tensor, state: Any, weight: Tensor | None = None
) -> tuple[Tensor, Any]:
    """
    The hidden states of a cell that reads ids (T, B) from `state`, and its last state: (T, B, H), state.

    table (V, G·H): row i is what character i says, W_ih x; weight (G·H, H): W_hh, or what dropout leaves of it.
    Differentiable once in all of them.
    """
    weights = weights_of(cell, table, cell.W_hh.weight if weight is None else weight)
    keep = torch.is_grad_enabled()
    h, *last = _ThroughTime.apply(WAYS[type(cell)], type(state), keep, ids, *weights, *state)
    return h, type(state)(*last)


class _ThroughTime(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        way: Any,
        State: Any,
        keep: bool,
        ids: Tensor,
        rows: Tensor,
        weight: Tensor,
        gain: Tensor | None,
        shift: Tensor | None,
        *state: Tensor,
    ) -> Any:
        weights = centred(Weights(rows, weight, gain, shift))
        h, last, ctx.tape = unroll.read(way, weights, norms_of(weights), ids, State(*state), keep)
        ctx.way, ctx.State, h = way, State, h[1:]
        ctx.save_for_backward(*weights, h)  # h, for a change in place to be noticed
        return h, *(part.clone() for part in last)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_h: Tensor, *d_last: Tensor) -> Any:
        weights = Weights(*ctx.saved_tensors[:-1])
        d_state = ctx.State(*d_last)
        d_weights, d_state = unroll.walk_back(ctx.way, weights, norms_of(weights), ctx.tape, d_h, d_state)
        return None, None, None, None, *centred(d_weights), *d_state
