"""
The equations of the recurrent cells, one time step each.

A cell turns what the input says and what the state says (`W_ih x` and `W_hh h + b`) into the next state (`update`). The
equations hold for tensors, which can learn, and for numpy arrays, which are several times quicker where there is but
one vector: a text that is written character by character runs these very lines on arrays.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn


def tanh(x: Any) -> Any:
    """The hyperbolic tangent of a tensor or of a numpy array."""
    return np.tanh(x) if isinstance(x, np.ndarray) else torch.tanh(x)


class HiddenState(NamedTuple):
    """What a vanilla cell carries from one step to the next."""

    h: Any  # (B, H) hidden state, -1..1; a tensor, or an array (H,)


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

    def update(self, from_input: Any, from_state: Any, state: HiddenState) -> HiddenState:
        """The next state from the two sums: `W_ih x` and `W_hh h + b`, each (B, H)."""
        h = tanh(from_input + from_state)  # (B, H)
        return HiddenState(h)

    def initial_state(self, *batch: int) -> HiddenState:
        """The state before the first character: zeros, (*batch, H)."""
        return HiddenState(self.W_hh.weight.new_zeros(*batch, self.W_hh.in_features))
