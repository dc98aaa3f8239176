"""`CharRNN`: a character-level recurrent language model, embed → cell → head."""

import copy
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from charrnn import sampling
from charrnn.bptt import through_time
from charrnn.cells import CELLS
from charrnn.dropout import dropout
from charrnn.interventions import Clamp, Held
from charrnn.sampling import Reading, SamplingSettings, Trace

MASKS = 16  # sequences of a minibatch share that many masks of dropout at the input


class CharRNN(nn.Module):
    """
    A network that reads characters one at a time and says, after each, which is likely to be next.

    vocab_size V characters, hidden_dim H units; embedding and hidden state have the same width. cell: `rnn`, `gru` or
    `lstm`. While it learns, a share `input_dropout` of what enters the cell, `dropout` of what leaves it and
    `recurrent_dropout` of W_hh is left out. Raises ValueError for another cell. Graves 2013.
    """

    context = None  # a recurrent network reads on for ever

    def __init__(
        self,
        vocab_size: int,
        hidden_dim: int = 256,
        cell: str = "rnn",
        layer_norm: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ):
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"the cell is {cell!r}: give one of {', '.join(CELLS)}")
        self.hidden_dim = hidden_dim
        self.dropout, self.input_dropout, self.recurrent_dropout = dropout, input_dropout, recurrent_dropout
        self.embed = nn.Embedding(vocab_size, hidden_dim)
        self.cell = CELLS[cell](hidden_dim, hidden_dim, layer_norm)
        self.head = nn.Linear(hidden_dim, vocab_size)

    @property
    def config(self) -> dict[str, Any]:
        """What a checkpoint says of the model's form."""
        name = next(name for name, kind in CELLS.items() if type(self.cell) is kind)
        return {"cell": name, "hidden_dim": self.hidden_dim, "layer_norm": self.cell.layer_norm}

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """
        Read ids (B, T) from `state` (zeros where None) -> logits (B, T, V) of the next characters, and the last state.

        The loop over time as the equations say it: the definition of the model.
        """
        last = self.cell.initial_state(len(ids)) if state is None else state
        states = []
        for x in self.embed(ids).unbind(1):  # (B, E)
            last = self.cell(x, last)
            states.append(last.h)
        return self.head(torch.stack(states, dim=1)), last

    def fast_forward(self, ids: Tensor, state: Any = None, rng: torch.Generator | None = None) -> tuple[Tensor, Any]:
        """
        The same as `forward`, over the whole sequence at once and with the backward pass by hand (`bptt`).

        Drops out where `rng` is given.
        """
        last = self.cell.initial_state(len(ids)) if state is None else state
        table, rows = self.input_table(), ids.t()  # (T, B)
        if rng is not None and self.input_dropout:
            table, rows = self._input_tables(rng), rows + torch.arange(len(ids), device=ids.device) % MASKS * len(table)
        W_hh = dropout(self.cell.W_hh.weight, self.recurrent_dropout, rng)  # one mask for all steps: Merity et al. 2018
        h, last = through_time(self.cell, table, rows.contiguous(), last, W_hh)  # (T, B, H)
        return self.head(dropout(h, self.dropout, rng)).transpose(0, 1), last

    def input_table(self) -> Tensor:
        """What each character says to the cell: row i is W_ih x for the character with id i, (V, G·H)."""
        return self.cell.W_ih(self.embed.weight)

    def _input_tables(self, rng: torch.Generator) -> Tensor:
        """
        MASKS such tables one below the other, (MASKS·V, G·H), each of an embedding with other numbers left out.

        A sequence keeps to one of them, so what is left out of a character is so for a whole window, and the product
        stays small. Gal and Ghahramani 2016.
        """
        return self.cell.W_ih(dropout(self.embed.weight.expand(MASKS, -1, -1), self.input_dropout, rng)).flatten(0, 1)

    def decoder(self, share: bool = False) -> "Decoder":
        """
        The model, ready to write one character after the other: a copy of its weights as they are now.

        share: the weights themselves, without a copy; of a model that learns no more.
        """
        return Decoder(self if share else copy.deepcopy(self).cpu())

    def sample(
        self,
        ctx: Tensor,
        n: int,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        seed: int | None = None,
    ) -> Tensor:
        """
        Continue each row of ctx (B, T) by n characters -> ids (B, T + n).

        Row b consumes the dice of seed + b; without a seed, of one drawn at random. Raises ValueError for settings out
        of their range and for logits that are not finite.
        """
        return sampling.sample(self.decoder(), ctx, n, SamplingSettings(temperature, top_k, top_p, min_p), seed)


class Decoder:
    """
    A model that writes one character at a time: no batch, no gradient, numpy instead of torch, the input's share looked
    up in a table. Implements `sampling.Reader`; the arithmetic is the cell's own `update`, the weights are the model's.
    """

    def __init__(self, model: CharRNN):
        self._cell = cell = model.cell
        start = cell.initial_state()
        self._update = cell.update
        self._start = type(start)(*map(_array, start))
        self._names = (*start._fields, *cell.gate_names)
        self._from_input = list(_array(model.input_table()))  # V × (G·H,)
        self._W_hh, self._b_hh = _array(cell.W_hh.weight), _array(cell.W_hh.bias)
        self._W_out, self._b_out = _array(model.head.weight), _array(model.head.bias)

    def clamped(self, clamps: Sequence[Clamp]) -> "Decoder":
        """
        The same, with what `interventions` says held while it reads: h, c, and the cell's gates, at every character.

        Shares its weights. Raises ValueError for a clamp that does not fit.
        """
        held = Held(clamps, dict.fromkeys(self._names, len(self._start.h)))
        twin = copy.copy(self)
        twin._update = _held_update(self._cell, held)
        return twin

    def prefill(self, ids: Sequence[int], state: Any = None) -> Reading:
        """Read ids from `state`, zeros where None; no ids at all is a text that has not begun."""
        state, gates = self._start if state is None else state, ()
        for id in ids:
            state, gates = self._next(id, state)
        return self._reading(state, gates)

    def step(self, id: int, state: Any) -> Reading:
        """Read one character."""
        return self._reading(*self._next(id, state))

    def read(self, ids: Sequence[int], state: Any = None) -> Trace:
        """Read ids, one at least, from `state` and keep what each left to see: bit for bit what `step` says."""
        state, readings = self._start if state is None else state, []
        for id in ids:
            readings.append(self.step(id, state))
            state = readings[-1].state
        return Trace.of(readings)

    def _next(self, id: int, state: Any) -> tuple[Any, Any]:
        return self._update(self._from_input[id], self._W_hh.dot(state.h) + self._b_hh, state)

    def _reading(self, state: Any, gates: Any) -> Reading:
        activations = dict(zip(self._names, state + gates, strict=False))  # before any text there are no gates
        return Reading(self._W_out.dot(state.h) + self._b_out, state, activations)


def _held_update(cell: Any, held: Held) -> Callable[..., tuple[Any, Any]]:
    """The cell's own `update`, with what is held in place of what it computes."""
    norm = {name: cell.norm[name] for name in cell.normed}
    norm |= {gate: held.squashed_from(gate, norm[gate]) for gate in cell.gate_names}
    if "c" in norm:
        norm["c"] = lambda c: cell.norm["c"](held("c", c))  # h' sees what is held of c'
    squashing, update = SimpleNamespace(norm=norm), type(cell).update

    def held_update(from_input: Any, from_state: Any, state: Any) -> tuple[Any, Any]:
        new, gates = update(squashing, from_input, from_state, state)
        return type(new)(*map(held, new._fields, new)), gates

    return held_update


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()
