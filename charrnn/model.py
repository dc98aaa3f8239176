"""`CharRNN`: a character-level recurrent language model, embed → cell → head."""

import secrets
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from charrnn.bptt import vanilla_states
from charrnn.cells import HiddenState, VanillaRNNCell
from charrnn.sampling import Dice, Reading, SamplingSettings, generate


class CharRNN(nn.Module):
    """
    A network that reads characters one at a time and says, after each, which is likely to be next.

    vocab_size V characters, hidden_dim H units; embedding and hidden state have the same width. Graves 2013.
    """

    def __init__(self, vocab_size: int, hidden_dim: int = 256):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.embed = nn.Embedding(vocab_size, hidden_dim)
        self.cell = VanillaRNNCell(hidden_dim, hidden_dim)
        self.head = nn.Linear(hidden_dim, vocab_size)

    def forward(self, ids: Tensor, state: HiddenState | None = None) -> tuple[Tensor, HiddenState]:
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

    def fast_forward(self, ids: Tensor, state: HiddenState | None = None) -> tuple[Tensor, HiddenState]:
        """The same as `forward`, over the whole sequence at once and with the backward pass by hand (`bptt.py`)."""
        h = self.time_major_states(ids, state)  # (T, B, H)
        return self.head(h).transpose(0, 1), HiddenState(h[-1])

    def states(self, ids: Tensor, state: HiddenState | None = None) -> Tensor:
        """The hidden states after each character of ids (B, T): (B, T, H)."""
        return self.time_major_states(ids, state).transpose(0, 1)

    def time_major_states(self, ids: Tensor, state: HiddenState | None = None) -> Tensor:
        """The hidden states after each character of ids (B, T), time first: (T, B, H)."""
        state = self.cell.initial_state(len(ids)) if state is None else state
        table = self.input_table() + self.cell.W_hh.bias
        return vanilla_states(table, ids.t().contiguous(), self.cell.W_hh.weight, state.h)

    def input_table(self) -> Tensor:
        """What each character says to the cell: row i is W_ih x for the character with id i, (V, H)."""
        return self.cell.W_ih(self.embed.weight)

    def decoder(self) -> "Decoder":
        """The model, ready to write one character after the other; a copy of its weights as they are now."""
        return Decoder(self)

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
        settings = SamplingSettings(temperature, top_k, top_p, min_p)
        seed = secrets.randbits(62) if seed is None else seed
        decoder = self.decoder()
        rows = [
            [step.id for step in generate(decoder, decoder.prefill(row), n, settings, Dice(seed + b))]
            for b, row in enumerate(ctx.tolist())
        ]
        return torch.cat([ctx, torch.tensor(rows, dtype=ctx.dtype, device=ctx.device).view(len(ctx), n)], dim=1)


class Decoder:
    """
    A model that writes one character at a time: no batch, no gradient, numpy instead of torch, the input's share looked
    up in a table. Implements `sampling.Reader`; the arithmetic is the cell's own `update`.
    """

    def __init__(self, model: CharRNN):
        self._update = model.cell.update
        self._start = HiddenState(*map(_array, model.cell.initial_state()))
        self._from_input = list(_array(model.input_table()))  # V × (H,)
        self._W_hh, self._b_hh = _array(model.cell.W_hh.weight), _array(model.cell.W_hh.bias)
        self._W_out, self._b_out = _array(model.head.weight), _array(model.head.bias)

    def prefill(self, ids: Sequence[int], state: HiddenState | None = None) -> Reading:
        """Read ids from `state`, zeros where None; no ids at all is a text that has not begun."""
        state = self._start if state is None else state
        for id in ids:
            state = self._next_state(id, state)
        return self._reading(state)

    def step(self, id: int, state: HiddenState) -> Reading:
        """Read one character."""
        return self._reading(self._next_state(id, state))

    def _next_state(self, id: int, state: HiddenState) -> HiddenState:
        return self._update(self._from_input[id], self._W_hh.dot(state.h) + self._b_hh, state)

    def _reading(self, state: HiddenState) -> Reading:
        return Reading(self._W_out.dot(state.h) + self._b_out, state)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().copy()
