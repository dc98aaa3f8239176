"""`torch.autograd.Function` around the unrolled cell."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.bptt import unroll
from charrnn.bptt.unroll import CELL_MODULES, Weights, center_weights, norms_of, weights_of
from charrnn.cells import Cell


def through_time(
    cell: Cell, table: Tensor, ids: Tensor, state: Any, weight: Tensor | None = None
) -> tuple[Tensor, Any]:
    """
    Run a cell over ids (T, B) from `state` -> hidden states (T, B, H), last state.

    table (V, G·H): row i is W_ih x of character i; weight (G·H, H): W_hh, possibly with dropout. Differentiable once
    in all of them.
    """
    weights = weights_of(cell, table, cell.W_hh.weight if weight is None else weight)
    keep = torch.is_grad_enabled()
    h, *last = _ThroughTime.apply(CELL_MODULES[type(cell)], type(state), keep, ids, *weights, *state)
    return h, type(state)(*last)


class _ThroughTime(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        module: Any,
        State: Any,
        keep: bool,
        ids: Tensor,
        rows: Tensor,
        weight: Tensor,
        gain: Tensor | None,
        shift: Tensor | None,
        *state: Tensor,
    ) -> Any:
        weights = center_weights(Weights(rows, weight, gain, shift))
        h, last, ctx.tape = unroll.forward(module, weights, norms_of(weights), ids, State(*state), keep)
        ctx.module, ctx.State, h = module, State, h[1:]
        ctx.save_for_backward(*weights, h)  # h, so that in-place changes are detected
        return h, *(part.clone() for part in last)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_h: Tensor, *d_last: Tensor) -> Any:
        weights = Weights(*ctx.saved_tensors[:-1])
        d_state = ctx.State(*d_last)
        d_weights, d_state = unroll.backward(ctx.module, weights, norms_of(weights), ctx.tape, d_h, d_state)
        return None, None, None, None, *center_weights(d_weights), *d_state
