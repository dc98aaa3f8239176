"""
The cells over a whole sequence, with backpropagation through time written by hand.

The same equations as `cells.py`, arranged for speed: embedding × W_ih is folded into a table with one row for each
character, the states live in one time-major buffer, only the recurrent product runs step by step, and each weight
gradient is one product over all T·B rows. Werbos 1990.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def vanilla_states(table: Tensor, ids: Tensor, weight: Tensor, h0: Tensor) -> Tensor:
    """
    The hidden states of a vanilla cell that reads `ids`: h_t = tanh(table[id_t] + W_hh h_{t-1}).

    table (V, H) what each character says: W_ih x + b; ids (T, B); weight (H, H) is W_hh; h0 (B, H)
    -> (T, B, H). Differentiable once in table, weight and h0.
    """
    return _VanillaStates.apply(table, ids, weight, h0)


def tanh_slope(h: Tensor) -> Tensor:
    """The derivative of tanh where its value is h: 1 - h². Same shape as h."""
    return torch.addcmul(h.new_ones(()), h, h, value=-1)


class _VanillaStates(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, ids: Tensor, weight: Tensor, h0: Tensor) -> Tensor:
        steps, batch = ids.shape
        states = table.new_empty(steps + 1, batch, h0.shape[-1])  # (T+1, B, H), the first one is h0
        states[0] = h0
        torch.index_select(table, 0, ids.reshape(-1), out=states[1:].view(steps * batch, -1))
        weight_T = weight.t()
        for t in range(steps):
            states[t + 1].addmm_(states[t], weight_T).tanh_()
        ctx.save_for_backward(table, ids, weight, states)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_states: Tensor) -> Any:
        table, ids, weight, states = ctx.saved_tensors
        steps, batch = ids.shape
        d_pre = tanh_slope(states[1:])  # (T, B, H), turned into the gradient of the pre-activations step by step
        d_h = d_states[-1].clone()
        for t in range(steps - 1, 0, -1):
            d_pre[t].mul_(d_h)
            torch.addmm(d_states[t - 1], d_pre[t], weight, out=d_h)
        d_pre[0].mul_(d_h)
        d_rows = d_pre.view(steps * batch, -1)
        d_table = torch.zeros_like(table).index_add_(0, ids.reshape(-1), d_rows)
        d_weight = d_rows.t() @ states[:-1].view(steps * batch, -1)
        d_h0 = d_pre[0] @ weight if ctx.needs_input_grad[3] else None
        return d_table, None, d_weight, d_h0
