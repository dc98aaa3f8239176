"""
The equations of the recurrent cells, one time step each.

A cell sums what the input says and what the state says (`W_ih x` and `W_hh h + b`) and turns the sums into the next
state (`update`). The split is what lets a whole sequence, or a text written one character at a time, look the input's
share up in a table and still run these very lines.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class HiddenState(NamedTuple):
    """What a vanilla cell carries from one step to the next."""

    h: Tensor  # (B, H) hidden state, -1..1


class VanillaRNNCell(nn.Module):
    """
    One step of a vanilla recurrent network: h' = tanh(W_ih x + W_hh h + b). Elman 1990.

    x (B, E), state.h (B, H) -> state.h (B, H). The one bias sits on the recurrent path; a second would only add to it.
    """

    def __init__(self, in_dim: int, hidden_dim: int):
        super().__init__()
        self.W_ih = nn.Linear(in_dim, hidden_dim, bias=False)
        self.W_hh = nn.Linear(hidden_dim, hidden_dim, bias=True)

    def forward(self, x: Tensor, state: HiddenState) -> HiddenState:
        return self.update(self.W_ih(x), self.W_hh(state.h), state)

    def update(self, from_input: Tensor, from_state: Tensor, state: HiddenState) -> HiddenState:
        h = torch.tanh(from_input + from_state)  # (B, H)
        return HiddenState(h)

    def initial_state(self, *batch: int) -> HiddenState:
        """The state before the first character: zeros, (*batch, H)."""
        return HiddenState(self.W_hh.weight.new_zeros(*batch, self.W_hh.in_features))
