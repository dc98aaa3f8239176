"""
The equations of the recurrent cells, one time step each.

A cell computes the next state from its input and its state (`W_ih x` and `W_hh h + b`) in `update`. Whatever writes
text runs a recording of these lines (`export`).

Shapes: x (B, E), h and c (B, H), every gate (B, H). A cell with G gates has W_ih (G·H, E) and W_hh (G·H, H), packed
in the order in which the gates are named.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

EPS = 1e-5  # of layer norm, added to the variance


class HiddenState(NamedTuple):
    """State of a vanilla or GRU cell."""

    h: Tensor  # (B, H) hidden state, -1..1


class LSTMState(NamedTuple):
    """State of an LSTM cell."""

    h: Tensor  # (B, H) hidden state, -1..1
    c: Tensor  # (B, H) cell state, unbounded


class NoGates(NamedTuple):
    """Gates of a vanilla cell: none."""


class LSTMGates(NamedTuple):
    """Input, forget, candidate and output gate."""

    i: Tensor  # (B, H), 0..1
    f: Tensor  # (B, H), 0..1
    g: Tensor  # (B, H), -1..1
    o: Tensor  # (B, H), 0..1


class GRUGates(NamedTuple):
    """Reset and update gate, candidate."""

    r: Tensor  # (B, H), 0..1
    z: Tensor  # (B, H), 0..1
    n: Tensor  # (B, H), -1..1


class Cell(nn.Module):
    """
    Base class of the cells: the two weight matrices and one time step.

    The only bias is on the recurrent path; a second one would be redundant.
    """

    gates: int  # blocks of H rows in W_ih and W_hh
    gate_names: tuple[str, ...]  # names of the gates that `update` returns
    normed: tuple[str, ...]  # names of the tensors that layer norm applies to

    def __init__(self, in_dim: int, hidden_dim: int, layer_norm: bool = False):
        super().__init__()
        self.W_ih = nn.Linear(in_dim, self.gates * hidden_dim, bias=False)
        self.W_hh = nn.Linear(hidden_dim, self.gates * hidden_dim, bias=True)
        self.layer_norm = layer_norm
        self.norm: Any = dict.fromkeys(self.normed, identity)
        if layer_norm:
            self.norm = nn.ModuleDict({name: nn.LayerNorm(hidden_dim, EPS) for name in self.normed})

    def forward(self, x: Tensor, state: Any) -> Any:
        return self.update(self.W_ih(x), self.W_hh(state.h), state)[0]

    def update(self, from_input: Tensor, from_state: Tensor, state: Any) -> tuple[Any, Any]:
        """Return the next state and the gates, from `W_ih x` and `W_hh h + b`, (B, G·H) each."""
        raise NotImplementedError

    def initial_state(self, *batch: int) -> Any:
        """Return the state before the first character: zeros, (*batch, H)."""
        return HiddenState(self.W_hh.weight.new_zeros(*batch, self.W_hh.in_features))


class VanillaRNNCell(Cell):
    """
    One step of a vanilla RNN: h' = tanh(W_ih x + W_hh h + b). Elman 1990.

    Layer norm applies to the sum, before the tanh. Ba et al. 2016.
    """

    gates, normed, gate_names = 1, ("h",), NoGates._fields

    def update(self, from_input: Tensor, from_state: Tensor, state: HiddenState) -> tuple[HiddenState, NoGates]:
        h = tanh(self.norm["h"](from_input + from_state))
        return HiddenState(h), NoGates()


class LSTMCell(Cell):
    """
    One step of an LSTM with forget gate: c' = f c + i g, h' = o tanh(c').

    Hochreiter and Schmidhuber 1997, forget gate by Gers et al. 2000. Layer norm applies to each gate's preactivation
    and to c' before its tanh. Ba et al. 2016.
    """

    gates, normed, gate_names = 4, ("i", "f", "g", "o", "c"), LSTMGates._fields

    def update(self, from_input: Tensor, from_state: Tensor, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        norm = self.norm
        i, f, g, o = split_gates(from_input + from_state, 4)
        i = sigmoid(norm["i"](i))
        f = sigmoid(norm["f"](f))
        g = tanh(norm["g"](g))
        o = sigmoid(norm["o"](o))
        c = f * state.c + i * g
        h = o * tanh(norm["c"](c))
        return LSTMState(h, c), LSTMGates(i, f, g, o)

    def initial_state(self, *batch: int) -> LSTMState:
        zeros = self.W_hh.weight.new_zeros(*batch, self.W_hh.in_features)
        return LSTMState(zeros, zeros)


class GRUCell(Cell):
    """
    One step of a GRU: h' = (1 − z) n + z h. Cho et al. 2014.

    As in torch.nn.GRU the reset gate acts after the matrix product. Layer norm applies to the preactivations of r, z
    and n. Ba et al. 2016.
    """

    gates, normed, gate_names = 3, ("r", "z", "n"), GRUGates._fields

    def update(self, from_input: Tensor, from_state: Tensor, state: HiddenState) -> tuple[HiddenState, GRUGates]:
        norm = self.norm
        x_r, x_z, x_n = split_gates(from_input, 3)
        h_r, h_z, h_n = split_gates(from_state, 3)
        r = sigmoid(norm["r"](x_r + h_r))
        z = sigmoid(norm["z"](x_z + h_z))
        n = tanh(norm["n"](x_n + r * h_n))
        h = (1 - z) * n + z * state.h
        return HiddenState(h), GRUGates(r, z, n)


def identity(x: Tensor) -> Tensor:
    """Return x: replaces layer norm if a cell has none."""
    return x


def tanh(x: Tensor) -> Tensor:
    """Return tanh(x); a function of this module, so that a trace shows its values."""
    return torch.tanh(x)


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-x))."""
    return torch.sigmoid(x)


def split_gates(packed: Tensor, parts: int) -> tuple[Tensor, ...]:
    """Split packed gates (…, parts·H) into `parts` of (…, H)."""
    return packed.chunk(parts, dim=-1)


CELLS = {"rnn": VanillaRNNCell, "gru": GRUCell, "lstm": LSTMCell}
