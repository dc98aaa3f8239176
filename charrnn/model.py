"""`CharRNN`: a character-level recurrent language model, embed → cell → head."""

import copy
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from charrnn import cells, equivalence, sampling
from charrnn.bptt import activation_grads, gru, lstm, through_time, vanilla
from charrnn.bptt import layer_norm as norm
from charrnn.cells import CELLS
from charrnn.chunked_logits import NUMBERS
from charrnn.dropout import dropout
from charrnn.equivalence import require_same
from charrnn.interventions import Clamp, ClampSet
from charrnn.sampling import DecoderOutput, TorchReader, Trace

WRITTEN_IN = (sys.modules[__name__], cells, vanilla, gru, lstm, norm, activation_grads)  # what a network here computes
TRAINS_SLOWLY = (
    "The pass by hand (bptt/) is not used, because it does not compute what cells.py says: training and analyses take "
    "autograd through the cell, which is several times slower"
)
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
        kind = type(self.cell)
        name = next((name for name, known in CELLS.items() if kind is known), kind.__name__)
        return {"cell": name, "hidden_dim": self.hidden_dim, "layer_norm": self.cell.layer_norm}

    def forward(self, ids: Tensor, state: Any = None, rng: torch.Generator | None = None) -> tuple[Tensor, Any]:
        """
        Read ids (B, T) from `state` (zeros where None) -> logits (B, T, V) of the next characters, and the last state.

        The loop over time as the equations say it: the definition of the model. Drops out where `rng` is given.
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
        """What enters the cell, (B, T, E), and the cell, both with the same left out as in `by_hand`."""
        x = self.embed(ids)
        if self.input_dropout:
            tables = dropout(self.embed.weight.expand(MASKS, -1, -1), self.input_dropout, rng)
            x = tables[torch.arange(len(ids), device=ids.device)[:, None] % MASKS, ids]
        if not self.recurrent_dropout:
            return x, self.cell
        left = {"W_hh.weight": dropout(self.cell.W_hh.weight, self.recurrent_dropout, rng)}
        return x, lambda x, state: functional_call(self.cell, left, (x, state))

    def fast_forward(self, ids: Tensor, state: Any = None, rng: torch.Generator | None = None) -> tuple[Tensor, Any]:
        """The same as `forward`, `by_hand` where that computes the same."""
        return (self.forward if self.by_hand_differs() else self.by_hand)(ids, state, rng)

    def by_hand(self, ids: Tensor, state: Any = None, rng: torch.Generator | None = None) -> tuple[Tensor, Any]:
        """The same, over the whole sequence at once and with the backward pass by hand (`bptt`)."""
        last = self.cell.initial_state(len(ids)) if state is None else state
        table, rows = self.inputs(ids.t())  # rows (T, B)
        if rng is not None and self.input_dropout:
            table, rows = self._input_tables(rng), rows + torch.arange(len(ids), device=ids.device) % MASKS * len(table)
        W_hh = dropout(self.cell.W_hh.weight, self.recurrent_dropout, rng)  # one mask for all steps: Merity et al. 2018
        h, last = through_time(self.cell, table, rows.contiguous(), last, W_hh)  # (T, B, H)
        return self.head(dropout(h, self.dropout, rng)).transpose(0, 1), last

    def by_hand_differs(self) -> str:
        """In what way `by_hand` does not compute what `forward` does, after an edit of the cell; "" where it does."""
        return equivalence.difference(self, require_by_hand, WRITTEN_IN)

    edited = by_hand_differs  # what `bptt` computes is what the project's networks learnt by

    def decoder_differs(self) -> str:
        """In what way the numpy decoder does not compute what `forward` does; "" where it does."""
        return equivalence.difference(self, require_decoder, WRITTEN_IN)

    def notices(self) -> list[str]:
        """What is to be said of the ways in which this network is computed: nothing where the fast paths agree."""
        training, writing = self.by_hand_differs(), self.decoder_differs()
        return [
            *([f"{TRAINS_SLOWLY} ({training})."] if training else []),
            *([f"{equivalence.WRITES_SLOWLY} ({writing})."] if writing else []),
        ]

    def input_table(self) -> Tensor:
        """What each character says to the cell: row i is W_ih x for the character with id i, (V, G·H)."""
        return self.cell.W_ih(self.embed.weight)

    def inputs(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """
        The input table, and which rows of it these ids are: (V, G·H), ids' shape.

        Where it would be large and nothing is learnt from it, only of the characters that are there: (C, G·H).
        """
        large = self.embed.num_embeddings * self.cell.W_ih.out_features > NUMBERS
        if not large or torch.is_grad_enabled() or ids.numel() >= self.embed.num_embeddings:
            return self.input_table(), ids
        here, rows = ids.unique(return_inverse=True)
        return self.cell.W_ih(self.embed(here)), rows

    def _input_tables(self, rng: torch.Generator) -> Tensor:
        """
        MASKS such tables one below the other, (MASKS·V, G·H), each of an embedding with other numbers left out.

        A sequence keeps to one of them, so what is left out of a character is so for a whole window, and the product
        stays small. Gal and Ghahramani 2016.
        """
        return self.cell.W_ih(dropout(self.embed.weight.expand(MASKS, -1, -1), self.input_dropout, rng)).flatten(0, 1)

    def small_config(self, widest: int) -> dict[str, Any]:
        """The form of a network that computes the same with few characters and no more units than that."""
        return self.config | {"hidden_dim": min(self.hidden_dim, widest)}

    def beginning(self) -> tuple[Tensor, Any, dict[str, Tensor]]:
        """Before the first character: logits (1, 1, V), the state, and what there is to see in it."""
        start = self.cell.initial_state(1)
        return self.head(start.h)[:, None], start, start._asdict()

    def watched(self, ids: Tensor, state: Any, held: ClampSet | None = None) -> tuple[Tensor, Any, dict[str, Tensor]]:
        """`forward`, with some of it held, and what there is to see after the last of ids (B, T): (B, rows) by name."""
        twin, (cell, seen) = copy.copy(self), watched_cell(self.cell, held)
        twin._modules = self._modules | {"cell": cell}
        return *twin.forward(ids, state), seen

    def require_effect(self, clamps: Sequence[Clamp], reader_of: Callable[[Any], Any]) -> None:
        """Raises ValueError for a clamp that does not do what it says, in that kind of reader."""
        equivalence.require_effect(clamps, self, reader_of)

    def decoder(self, share: bool = False) -> "Decoder | TorchReader":
        """
        The model, ready to write one character after the other: a copy of its weights as they are now.

        share: the weights themselves, without a copy; of a model that learns no more.
        """
        model = self if share else copy.deepcopy(self).cpu()
        return TorchReader(model) if self.decoder_differs() else Decoder(model)

    sample = sampling.sample_rows


class Decoder:
    """A numpy decoder for one character at a time; implements `sampling.Decoder`.

    No batch and no gradient; W_ih x is looked up in a table. Arithmetic and weights are the cell's own (`Cell.update`).
    """

    def __init__(self, model: CharRNN):
        self._model, cell = model, model.cell
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

        Shares its weights. Raises ValueError for a clamp that does not fit, or would not act.
        """
        held = ClampSet(clamps, dict.fromkeys(self._names, len(self._start.h)))
        self._model.require_effect(clamps, Decoder)
        return self.holding(held)

    def holding(self, held: ClampSet) -> "Decoder":
        """The same, with this held while it reads."""
        twin = copy.copy(self)
        twin._update = watched_cell(self._model.cell, held)[0].update
        return twin

    def prefill(self, ids: Sequence[int], state: Any = None) -> DecoderOutput:
        """Read ids from `state`, zeros where None; no ids at all is a text that has not begun."""
        state, gates = self._start if state is None else state, ()
        for id in ids:
            state, gates = self._next(id, state)
        return self._reading(state, gates)

    def step(self, id: int, state: Any) -> DecoderOutput:
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

    def _reading(self, state: Any, gates: Any) -> DecoderOutput:
        activations = dict(zip(self._names, state + gates, strict=False))  # before any text there are no gates
        return DecoderOutput(self._W_out.dot(state.h) + self._b_out, state, activations)


def watched_cell(cell: Any, held: ClampSet | None) -> tuple[Any, dict[str, Any]]:
    """
    A copy of a cell that shares its weights, with what is held in place of what it computes.

    Beside it, what there is to see of the last step of this copy, by name: the parts of the state, then the gates.
    """
    twin, seen, own = copy.copy(cell), {}, type(cell)
    held_at = held or (lambda name, x: x)
    if held is not None:
        norm = dict(cell.norm.items())
        norm |= {gate: held.clamped_preactivation(gate, norm[gate]) for gate in cell.gate_names if gate in norm}
        if "c" in norm:
            norm["c"] = lambda c: cell.norm["c"](held("c", c))  # h' sees what is held of c'
        twin._modules = {name: module for name, module in cell._modules.items() if name != "norm"}
        twin.__dict__["norm"] = norm

    def state_of(new: Any) -> Any:
        new = type(new)(*map(held_at, new._fields, new))
        gates = {name: value for name, value in seen.items() if name not in new._fields}
        seen.clear()
        seen.update(new._asdict() | gates)
        return new

    def update(from_input: Any, from_state: Any, state: Any) -> tuple[Any, Any]:
        new, gates = own.update(twin, from_input, from_state, state)
        seen.update(gates._asdict())
        return state_of(new), gates

    twin.update, twin.forward = update, lambda x, state: state_of(own.forward(twin, x, state))
    return twin, seen


# ------------------------------------------------------------------------------------------------ fast paths


def require_by_hand(network: CharRNN) -> None:
    """Raises DifferentError unless `by_hand` computes what `forward` does: logits, states, and every gradient."""
    characters = network.embed.num_embeddings
    rng = torch.Generator().manual_seed(1)
    ids = torch.stack([torch.arange(characters), torch.randperm(characters, generator=rng)], dim=1)  # (B, 2)
    zeros = network.cell.initial_state(characters)
    scale = equivalence.sizes(characters)[torch.randperm(characters, generator=rng), None]
    drawn = [scale * torch.randn(part.shape, generator=rng, dtype=part.dtype) for part in zeros]
    for begin in (None, type(zeros)(*(part.requires_grad_() for part in drawn))):
        expected, found = (_with_gradients(network, read, ids, begin) for read in (network.forward, network.by_hand))
        for name, value in expected.items():
            require_same(name, found[name], value)
    x, cell, state = network.embed(ids[:, 0]), network.cell, type(zeros)(*drawn)
    for name, a, b in zip(
        zeros._fields, cell.update(cell.W_ih(x), cell.W_hh(state.h), state)[0], cell(x, state), strict=True
    ):
        require_same(f"{name} of `update`", a, b)


def _with_gradients(network: CharRNN, read: Callable[..., Any], ids: Tensor, begin: Any) -> dict[str, Tensor]:
    """Logits and last state, and the gradients of a loss in which every number of them has its own weight; by name."""
    logits, last = read(ids, begin)
    said = {"the logits": logits} | {f"the state's {name}": part for name, part in last._asdict().items()}
    rng = torch.Generator().manual_seed(2)
    parts = [(torch.randn(part.shape, generator=rng, dtype=part.dtype) * part).sum() for part in said.values()]
    by = dict(network.named_parameters())
    by |= {} if begin is None else {f"the first {name}": part for name, part in begin._asdict().items()}
    gradients = torch.autograd.grad(torch.stack(parts).sum(), [*by.values()], allow_unused=True, materialize_grads=True)
    return said | {f"the gradient of {name}": gradient for name, gradient in zip(by, gradients, strict=True)}


def require_decoder(network: CharRNN) -> None:
    """Raises DifferentError unless the numpy decoder computes what `forward` does: logits, states and gates."""
    rng = torch.Generator().manual_seed(3)
    decoder, reader = Decoder(network), TorchReader(network)
    ids = torch.randperm(network.embed.num_embeddings, generator=rng).tolist()
    ours, theirs = decoder.prefill([]), reader.prefill([])
    for id in ids:
        require_same("the logits", ours.logits, theirs.logits)
        ours, theirs = decoder.step(id, ours.state), reader.step(id, theirs.state)
        if ours.activations.keys() != theirs.activations.keys():
            raise equivalence.DifferentError(
                f"it shows {', '.join(ours.activations)}, not {', '.join(theirs.activations)}"
            )
        for name, value in theirs.activations.items():
            require_same(name, ours.activations[name], value)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()
