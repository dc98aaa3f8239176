"""`torch.autograd.Function` around the unrolled cell."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.bptt import unroll
from charrnn.bptt.unroll import CELL_MODULES, Weights, center_weights, norms_of, weights_of
from charrnn.cells import Cell


def through_time(cell: Cell, table: Tensor, ids: Tensor, state: Any, W_hh: Tensor | None = None) -> tuple[Tensor, Any]:
    """
    Run a cell over ids (T, B) from `state` -> hidden states (T, B, H), last state.

    table (V, G·H): row i is W_ih x of character i; W_hh (G·H, H): None for the cell's own. Differentiable once.
    """
    weights = weights_of(cell, table, cell.W_hh.weight if W_hh is None else W_hh)
    save = torch.is_grad_enabled()
    h, *last = _ThroughTime.apply(CELL_MODULES[type(cell)], type(state), save, ids, *weights, *state)
    return h, type(state)(*last)


class _ThroughTime(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        module: Any,
        State: Any,
        save: bool,
        ids: Tensor,
        table: Tensor,
        W_hh: Tensor,
        gain: Tensor | None,
        shift: Tensor | None,
        *state: Tensor,
    ) -> Any:
        weights = center_weights(Weights(table, W_hh, gain, shift))
        h, last, ctx.segments = unroll.forward(module, weights, norms_of(weights), ids, State(*state), save)
        ctx.module, ctx.State, h = module, State, h[1:]
        ctx.save_for_backward(*weights, h)  # h, so that in-place changes are detected
        return h, *(part.clone() for part in last)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_h: Tensor, *d_last: Tensor) -> Any:
        weights = Weights(*ctx.saved_tensors[:-1])
        d_state = ctx.State(*d_last)
        d_weights, d_state = unroll.backward(ctx.module, weights, norms_of(weights), ctx.segments, d_h, d_state)
        return None, None, None, None, *center_weights(d_weights), *d_state
