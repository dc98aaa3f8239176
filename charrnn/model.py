"""`CharRNN`: a character-level recurrent language model, embed → cell → head."""

import copy
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from charrnn import cells, edited_equations, export, sampling
from charrnn.bptt import activation_grads, gru, lstm, through_time, vanilla
from charrnn.bptt import layer_norm as norm
from charrnn.cells import CELLS
from charrnn.chunked_logits import MAX_LOGITS
from charrnn.dropout import dropout
from charrnn.edited_equations import require_same
from charrnn.matrix_products import Linear
from charrnn.pretrained_methods import PretrainedMethods

DEFINING_MODULES = (sys.modules[__name__], cells, vanilla, gru, lstm, norm, activation_grads)
SLOW_TRAINING = (
    "The hand-written pass (bptt/) is not used, because it differs from cells.py: training and analyses use "
    "autograd through the cell, which is several times slower"
)
MASKS = 16  # dropout masks at the input, shared by the sequences of a minibatch


class CharRNN(PretrainedMethods, nn.Module):
    """
    A recurrent network that predicts each next character.

    vocab_size V characters, hidden_dim H units; the embedding has the width of the hidden state. cell: `rnn`, `gru`
    or `lstm`. Dropout rates while training: `input_dropout` before the cell, `dropout` after it, `recurrent_dropout`
    on W_hh. Raises ValueError for an unknown cell. Graves 2013.
    """

    context = None  # unbounded

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
        self.head = Linear(hidden_dim, vocab_size)

    @property
    def config(self) -> dict[str, Any]:
        """The architecture, as stored in a checkpoint."""
        cell = type(self.cell)
        name = next((name for name, known in CELLS.items() if cell is known), cell.__name__)
        return {"cell": name, "hidden_dim": self.hidden_dim, "layer_norm": self.cell.layer_norm}

    def forward(self, ids: Tensor, state: Any = None, rng: torch.Generator | None = None) -> tuple[Tensor, Any]:
        """
        Read ids (B, T) from `state` (None: zeros) -> logits (B, T, V) and last state.

        This loop over time defines the model. Applies dropout if `rng` is given.
        """
        last = self.cell.initial_state(len(ids)) if state is None else state
        embedded, cell = (self.embed(ids), self.cell) if rng is None else self._dropped_out(ids, rng)
        states = []
        for x in embedded.unbind(1):  # (B, E)
            last = cell(x, last)
            states.append(last.h)
        h = dropout(torch.stack(states), self.dropout, rng)  # (T, B, H)
        return self.head(h).transpose(0, 1), last

    def _dropped_out(self, ids: Tensor, rng: torch.Generator) -> tuple[Tensor, Callable[[Tensor, Any], Any]]:
        """Return the cell and its input (B, T, E), with the dropout of `bptt_forward`."""
        x = self.embed(ids)
        if self.input_dropout:
            tables = dropout(self.embed.weight.expand(MASKS, -1, -1), self.input_dropout, rng)
            x = tables[torch.arange(len(ids), device=ids.device)[:, None] % MASKS, ids]
        if not self.recurrent_dropout:
            return x, self.cell
        dropped = {"W_hh.weight": dropout(self.cell.W_hh.weight, self.recurrent_dropout, rng)}
        return x, lambda x, state: functional_call(self.cell, dropped, (x, state))

    def fast_forward(self, ids: Tensor, state: Any = None, rng: torch.Generator | None = None) -> tuple[Tensor, Any]:
        """Compute `forward`, by `bptt_forward` unless the two differ."""
        return (self.forward if self.bptt_difference() else self.bptt_forward)(ids, state, rng)

    def bptt_forward(self, ids: Tensor, state: Any = None, rng: torch.Generator | None = None) -> tuple[Tensor, Any]:
        """Compute `forward` in one pass with a hand-written backward pass (`bptt`)."""
        last = self.cell.initial_state(len(ids)) if state is None else state
        table, rows = self.inputs(ids.t())  # rows (T, B)
        if rng is not None and self.input_dropout:
            table, rows = self._input_tables(rng), rows + torch.arange(len(ids), device=ids.device) % MASKS * len(table)
        W_hh = dropout(self.cell.W_hh.weight, self.recurrent_dropout, rng)  # one mask for all steps: Merity et al. 2018
        h, last = through_time(self.cell, table, rows.contiguous(), last, W_hh)  # (T, B, H)
        return self.head(dropout(h, self.dropout, rng)).transpose(0, 1), last

    def bptt_difference(self) -> str:
        """Describe how `bptt_forward` differs from an edited `forward`; "" if it does not."""
        return edited_equations.difference(self, require_bptt_matches, DEFINING_MODULES)

    edited = bptt_difference  # `bptt` holds the equations that the bundled checkpoints were trained with

    def notices(self) -> list[str]:
        """Return warnings about slow paths in use; none if the fast paths match `forward`."""
        training = self.bptt_difference()
        return [
            *([f"{SLOW_TRAINING} ({training})."] if training else []),
            *export.slow_generation_notices(self),
        ]

    def input_table(self) -> Tensor:
        """Return W_ih x for each character: row i belongs to id i, (V, G·H)."""
        return self.cell.W_ih(self.embed.weight)

    def inputs(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return the input table (V, G·H) and the row of each id, in the shape of ids.

        Without gradients and with a large table, only the rows of characters that occur: (C, G·H).
        """
        large = self.embed.num_embeddings * self.cell.W_ih.out_features > MAX_LOGITS
        if not large or torch.is_grad_enabled() or ids.numel() >= self.embed.num_embeddings:
            return self.input_table(), ids
        present, rows = ids.unique(return_inverse=True)
        return self.cell.W_ih(self.embed(present)), rows

    def _input_tables(self, rng: torch.Generator) -> Tensor:
        """
        Stack MASKS input tables, (MASKS·V, G·H), each with its own dropout mask.

        A sequence uses one of them, so a character keeps its mask for a whole window, and the product stays small.
        Gal and Ghahramani 2016.
        """
        return self.cell.W_ih(dropout(self.embed.weight.expand(MASKS, -1, -1), self.input_dropout, rng)).flatten(0, 1)

    def small_config(self, max_units: int) -> dict[str, Any]:
        """Return the config of an equivalent network with at most `max_units` units."""
        return self.config | {"hidden_dim": min(self.hidden_dim, max_units)}

    def initial_output(self) -> tuple[Tensor, Any, dict[str, Tensor]]:
        """Return logits (1, 1, V), state and activations before the first character."""
        start = self.cell.initial_state(1)
        return self.head(start.h)[:, None], start, start._asdict()

    def forward_with_activations(self, ids: Tensor, state: Any) -> tuple[Tensor, Any, dict[str, Tensor]]:
        """Run `forward`; also return the last activations (B, H): state, then gates."""
        network, cell, activations = copy.copy(self), copy.copy(self.cell), {}

        def update(*args: Any) -> tuple[Any, Any]:
            new, gates = type(cell).update(cell, *args)
            activations.update(gates._asdict())
            return new, gates

        def forward(x: Tensor, before: Any) -> Any:
            new = type(cell).forward(cell, x, before)
            gates = {name: value for name, value in activations.items() if name not in new._fields}
            activations.clear()
            activations.update(new._asdict() | gates)
            return new

        cell.update, cell.forward = update, forward
        network._modules = self._modules | {"cell": cell}
        return *network.forward(ids, state), activations

    def decoder(self) -> "export.GraphDecoder | export.ModuleDecoder":
        """Return a float64 decoder on a copy of the current weights."""
        return export.decoder_of(self)

    sample = sampling.sample_rows


# ------------------------------------------------------------------------------------------------ fast paths


def require_bptt_matches(network: CharRNN) -> None:
    """Raise DifferentError unless `bptt_forward` matches `forward` and its gradients."""
    vocab_size = network.embed.num_embeddings
    rng = torch.Generator().manual_seed(1)
    ids = torch.stack([torch.arange(vocab_size), torch.randperm(vocab_size, generator=rng)], dim=1)  # (B, 2)
    zeros = network.cell.initial_state(vocab_size)
    scale = edited_equations.log_spaced(vocab_size)[torch.randperm(vocab_size, generator=rng), None]
    random_state = [scale * torch.randn(part.shape, generator=rng, dtype=part.dtype) for part in zeros]
    for initial in (None, type(zeros)(*(part.requires_grad_() for part in random_state))):
        expected, found = (
            _with_gradients(network, read, ids, initial) for read in (network.forward, network.bptt_forward)
        )
        for name, value in expected.items():
            require_same(name, found[name], value)
    x, cell, state = network.embed(ids[:, 0]), network.cell, type(zeros)(*random_state)
    for name, a, b in zip(
        zeros._fields, cell.update(cell.W_ih(x), cell.W_hh(state.h), state)[0], cell(x, state), strict=True
    ):
        require_same(f"{name} of `update`", a, b)


def _with_gradients(network: CharRNN, read: Callable[..., Any], ids: Tensor, initial: Any) -> dict[str, Tensor]:
    """Return logits, last state and gradients of a randomly weighted sum, by name."""
    logits, last = read(ids, initial)
    outputs = {"the logits": logits} | {f"the state's {name}": part for name, part in last._asdict().items()}
    rng = torch.Generator().manual_seed(2)
    parts = [(torch.randn(part.shape, generator=rng, dtype=part.dtype) * part).sum() for part in outputs.values()]
    inputs = dict(network.named_parameters())
    inputs |= {} if initial is None else {f"the first {name}": part for name, part in initial._asdict().items()}
    gradients = torch.autograd.grad(
        torch.stack(parts).sum(), [*inputs.values()], allow_unused=True, materialize_grads=True
    )
    return outputs | {f"the gradient of {name}": gradient for name, gradient in zip(inputs, gradients, strict=True)}
