"""
The equations of the recurrent cells, one time step each.

A cell turns what the input says and what the state says (`W_ih x` and `W_hh h + b`) into the next state (`update`). The
equations hold for tensors, which can learn, and for numpy arrays, which are several times quicker where there is but
one vector: a text that is written character by character runs these very lines on arrays.

In all of them x (B, E), h and c (B, H), every gate (B, H); a cell with G gates has W_ih (G·H, E) and W_hh (G·H, H),
packed in the order in which the gates are named.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

EPS = 1e-5  # of layer norm, beside the variance


class HiddenState(NamedTuple):
    """What a vanilla or a GRU cell carries from one step to the next."""

    h: Any  # (B, H) hidden state, -1..1; a tensor, or an array (H,)


class LSTMState(NamedTuple):
    """What an LSTM cell carries from one step to the next."""

    h: Any  # (B, H) hidden state, -1..1
    c: Any  # (B, H) cell state, of any size


class NoGates(NamedTuple):
    """A vanilla cell has no gates."""


class LSTMGates(NamedTuple):
    """Input, forget, candidate and output gate."""

    i: Any  # (B, H), 0..1
    f: Any  # (B, H), 0..1
    g: Any  # (B, H), -1..1
    o: Any  # (B, H), 0..1


class GRUGates(NamedTuple):
    """Reset and update gate, candidate."""

    r: Any  # (B, H), 0..1
    z: Any  # (B, H), 0..1
    n: Any  # (B, H), -1..1


class Cell(nn.Module):
    """
    What the cells have in common: the two matrices, and the step from (x, state) to the next state.

    The one bias sits on the recurrent path; a second would only add to it.
    """

    gates: int  # blocks of H rows in W_ih and W_hh
    gate_names: tuple[str, ...]  # of what `update` returns beside the state
    normed: tuple[str, ...]  # what layer norm applies to, by name

    def __init__(self, in_dim: int, hidden_dim: int, layer_norm: bool = False):
        super().__init__()
        self.W_ih = nn.Linear(in_dim, self.gates * hidden_dim, bias=False)
        self.W_hh = nn.Linear(hidden_dim, self.gates * hidden_dim, bias=True)
        self.layer_norm = layer_norm
        self.norm: Any = dict.fromkeys(self.normed, unchanged)
        if layer_norm:
            self.norm = nn.ModuleDict({name: LayerNorm(hidden_dim, EPS) for name in self.normed})

    def forward(self, x: Tensor, state: Any) -> Any:
        return self.update(self.W_ih(x), self.W_hh(state.h), state)[0]

    def update(self, from_input: Any, from_state: Any, state: Any) -> tuple[Any, Any]:
        """The next state and the gates that made it, from the two sums `W_ih x` and `W_hh h + b`, each (B, G·H)."""
        raise NotImplementedError

    def initial_state(self, *batch: int) -> Any:
        """The state before the first character: zeros, (*batch, H)."""
        return HiddenState(self.W_hh.weight.new_zeros(*batch, self.W_hh.in_features))


class VanillaRNNCell(Cell):
    """
    One step of a vanilla recurrent network: h' = tanh(W_ih x + W_hh h + b). Elman 1990.

    With layer norm: of the sum, before the tanh. Ba et al. 2016.
    """

    gates, normed, gate_names = 1, ("h",), NoGates._fields

    def update(self, from_input: Any, from_state: Any, state: HiddenState) -> tuple[HiddenState, NoGates]:
        h = tanh(self.norm["h"](from_input + from_state))
        return HiddenState(h), NoGates()


class LSTMCell(Cell):
    """
    One step of a long short-term memory: what is kept (f), what is added (i·g), what is shown (o).

    Hochreiter and Schmidhuber 1997, forget gate by Gers et al. 2000. With layer norm: of each gate before it is
    squashed, and of c' before its tanh. Ba et al. 2016.
    """

    gates, normed, gate_names = 4, ("i", "f", "g", "o", "c"), LSTMGates._fields

    def update(self, from_input: Any, from_state: Any, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        norm = self.norm
        i, f, g, o = split(from_input + from_state, 4)
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
    One step of a gated recurrent unit: z says how much of the old state stays, r what of it the candidate sees.

    Cho et al. 2014, as in torch.nn.GRU: reset after the matrix product. With layer norm: of r, z and n before they are
    squashed. Ba et al. 2016.
    """

    gates, normed, gate_names = 3, ("r", "z", "n"), GRUGates._fields

    def update(self, from_input: Any, from_state: Any, state: HiddenState) -> tuple[HiddenState, GRUGates]:
        norm = self.norm
        x_r, x_z, x_n = split(from_input, 3)
        h_r, h_z, h_n = split(from_state, 3)
        r = sigmoid(norm["r"](x_r + h_r))
        z = sigmoid(norm["z"](x_z + h_z))
        n = tanh(norm["n"](x_n + r * h_n))
        h = (1 - z) * n + z * state.h
        return HiddenState(h), GRUGates(r, z, n)


class LayerNorm(nn.LayerNorm):
    """Zero mean, unit variance over the units, then a learnt gain and shift; a tensor or an array. Ba et al. 2016."""

    def forward(self, x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            return super().forward(x)
        centred = x - x.mean()
        scale = (centred.dot(centred) / len(x) + self.eps) ** -0.5
        return centred * scale * self.weight.numpy(force=True) + self.bias.numpy(force=True)


def unchanged(x: Any) -> Any:
    """What stands in the place of layer norm where there is none."""
    return x


def tanh(x: Any) -> Any:
    """The hyperbolic tangent of a tensor or of a numpy array."""
    return np.tanh(x) if isinstance(x, np.ndarray) else torch.tanh(x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)) of a tensor or of a numpy array, where a large -x must not overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x) if isinstance(x, np.ndarray) else torch.sigmoid(x)


def split(packed: Any, parts: int) -> Any:
    """Gates packed side by side (…, parts·H) -> `parts` of (…, H)."""
    return packed.reshape(parts, -1) if isinstance(packed, np.ndarray) else packed.chunk(parts, dim=-1)


CELLS = {"rnn": VanillaRNNCell, "gru": GRUCell, "lstm": LSTMCell}
