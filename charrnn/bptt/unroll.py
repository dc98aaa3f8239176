"""Forward and backward loops over a sequence, for every cell."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from charrnn.bptt import gru, lstm, vanilla
from charrnn.bptt.layer_norm import Norm, Norms, subtract_mean
from charrnn.cells import EPS, Cell, GRUCell, LSTMCell, VanillaRNNCell
from charrnn.matrix_products import product_over_rows, repeated_product

CELL_MODULES: dict[type[Cell], Any] = {VanillaRNNCell: vanilla, LSTMCell: lstm, GRUCell: gru}
CACHE_NUMBERS = 1 << 18  # numbers that fit a CPU's cache


class Weights(NamedTuple):
    """Weights of a cell for the loop; a step has S blocks of H preactivations."""

    table: Tensor  # (V, S·H) input table, W_ih x + b
    W_hh: Tensor  # (G·H, H), adds to the first G blocks
    gain: Tensor | None  # (N, H) of layer norm: of the gates, then of the state
    shift: Tensor | None  # (N, H)


class Segment(NamedTuple):
    """Consecutive steps saved for the backward pass."""

    ids: Tensor  # (T, B)
    h_before: Tensor  # (T, B, H)
    steps: list[Any]  # the cell's saved values of T steps


def weights_of(cell: Cell, table: Tensor, W_hh: Tensor) -> Weights:
    """Collect the weights; arguments as in `through_time`."""
    table = CELL_MODULES[type(cell)].add_bias(table, cell.W_hh.bias)
    if not cell.layer_norm:
        return Weights(table, W_hh, None, None)
    layers = cell.norm.values()
    gain, shift = torch.stack([layer.weight for layer in layers]), torch.stack([layer.bias for layer in layers])
    return Weights(table, W_hh, gain, shift)


def center_weights(weights: Weights) -> Weights:
    """
    Remove the part of the weights that layer norm subtracts from every gate.

    The map is linear and symmetric, so it also maps the gradients.
    """
    table, W_hh, gain, _ = weights
    if gain is None:
        return weights
    gates, hidden = len(gain) - 1, gain.shape[1]
    return weights._replace(table=subtract_mean(table, gates, hidden, 1), W_hh=subtract_mean(W_hh, gates, hidden, 0))


def norms_of(weights: Weights) -> Norms | None:
    """Return the layer norm parameters; None without layer norm."""
    gain, shift = weights.gain, weights.shift
    if gain is None or shift is None:
        return None
    return Norms(Norm(gain[:-1], shift[:-1]), Norm(gain[-1], shift[-1]), gain.new_tensor(EPS))


def forward(
    module: Any, weights: Weights, norms: Norms | None, ids: Tensor, state: Any, save: bool = True
) -> tuple[Tensor, Any, list[Segment]]:
    """
    Run a cell over ids (T, B) from `state`.

    Returns the hidden states (T+1, B, H), the first of which is the initial one, the last state, and the saved
    segments (empty unless `save`).
    """
    table, times_W_hh = weights.table, repeated_product(weights.W_hh, ids.shape[1])
    h = table.new_empty(len(ids) + 1, *state.h.shape)
    h[0] = state.h
    segments = []
    length = steps_per_block(table.device, ids.shape[1] * table.shape[1])
    for block, h_before, h_after in zip(ids.split(length), h[:-1].split(length), h[1:].split(length), strict=True):
        in_place = module.IN_PLACE and norms is None
        packed = h_after[:, :, None] if in_place else table.new_empty(*block.shape, module.BLOCKS, h.shape[-1])
        torch.index_select(table, 0, block.reshape(-1), out=packed.view(block.numel(), -1))
        segment = Segment(block, h_before, [])
        for recurrent, pre, h_t in zip(
            recurrent_columns(packed, weights), unbind_steps(module.split(packed)), h_after, strict=True
        ):
            recurrent.add_(times_W_hh(state.h))
            state, saved = module.step(pre, state, norms, h_t)
            if save:
                segment.steps.append(saved)
        if save:
            segments.append(segment)
    return h, state, segments


def backward(
    module: Any, weights: Weights, norms: Norms | None, segments: list[Segment], d_h: Tensor, d_state: Any
) -> tuple[Weights, Any]:
    """
    Return the gradients of the weights and of the initial state.

    d_h (T, B, H): gradient of the hidden states; d_state: of the last state.
    """
    d_table, d_W_hh = torch.zeros_like(weights.table), torch.zeros_like(weights.W_hh)
    _, batch, hidden = d_h.shape
    times_W_hh_T = repeated_product(weights.W_hh.t(), batch)
    if norms:
        d_gates = Norm(*(parameter.new_zeros(batch, *parameter.shape) for parameter in norms.gates))
        norms = norms._replace(d_gates=d_gates, d_state=Norm(*map(torch.zeros_like, norms.state)))
    d_packed = d_h.new_empty(len(segments[0].steps), batch, module.BLOCKS, hidden)
    d_steps = list(
        zip(unbind_steps(module.split(d_packed)), recurrent_columns(d_packed, weights).unbind(), strict=True)
    )
    d_h_above = [torch.zeros_like(d_h[0]), *d_h]
    d_state = d_state._replace(h=d_state.h + d_h_above.pop())
    for segment in reversed(segments):
        length = len(segment.steps)
        for saved, (d_pre, d_recurrent) in zip(reversed(segment.steps), reversed(d_steps[:length]), strict=True):
            d_state = module.step_back(saved, d_state, d_h_above.pop(), norms, d_pre)
            d_state = d_state._replace(h=times_W_hh_T(d_recurrent).add_(d_state.h))
        d_table.index_add_(0, segment.ids.reshape(-1), d_packed[:length].flatten(0, 1).flatten(1))
        d_recurrent = recurrent_columns(d_packed[:length], weights).flatten(0, 1)
        d_W_hh.add_(product_over_rows(d_recurrent, segment.h_before.flatten(0, 1)))
    if norms is None or norms.d_gates is None or norms.d_state is None:
        return Weights(d_table, d_W_hh, None, None), d_state
    d_norm = (torch.cat([gates.sum(0), state[None]]) for gates, state in zip(norms.d_gates, norms.d_state, strict=True))
    return Weights(d_table, d_W_hh, *d_norm), d_state


def recurrent_columns(packed: Tensor, weights: Weights) -> Tensor:
    """Return the preactivations that depend on h: (T, B, S, H) -> (T, B, G·H)."""
    return packed.flatten(2)[..., : len(weights.W_hh)]


def unbind_steps(pre: Any) -> list[Any]:
    """Split a sequence into steps; the results are views."""
    return [type(pre)(*step) for step in zip(*(tensor.unbind() for tensor in pre), strict=True)]


def steps_per_block(device: torch.device, numbers: int) -> int:
    """Return how many steps of so many numbers to run per block: all on a GPU."""
    return max(1, CACHE_NUMBERS // numbers) if device.type == "cpu" else 1 << 30


class BackwardPass:
    """Backpropagate from many positions of one text in parallel."""

    def __init__(self, cell: Cell, table: Tensor, ids: Tensor, state: Any = None):
        """Read ids (N, 1) from `state`, by default zero; `table` as in `through_time`."""
        self._cell, self._module = cell, CELL_MODULES[type(cell)]
        self._weights = center_weights(weights_of(cell, table, cell.W_hh.weight))
        self._norms = norms_of(self._weights)
        initial = cell.initial_state(1) if state is None else state
        h, last, segments = forward(self._module, self._weights, self._norms, ids, initial)
        steps = [step for segment in segments for step in segment.steps]
        self._saved = tree_map(lambda *tensors: torch.cat(tensors), *steps)  # every tensor (N, …)
        self._State = type(initial)
        self.h = h[1:, 0]  # (N, H)
        others = [
            torch.cat([getattr(self._saved, f"{name}_before")[1:], end])
            for name, end in zip(initial._fields[1:], last[1:], strict=True)
        ]
        self.states = self._State(self.h, *others)  # after each character, (N, H) each

    def state_gradient(self, d_h: Tensor) -> Any:
        """Return a state gradient with only its h set: d_h (P, H)."""
        return self._State(d_h, *(torch.zeros_like(d_h) for _ in self._State._fields[1:]))

    def step_back(self, d_state: Any, positions: Tensor) -> Any:
        """Propagate state gradients at `positions` (P,) one step back."""
        return self._step_back(d_state, positions)[0]

    def step_back_with_input(self, d_state: Any, positions: Tensor) -> tuple[Any, Tensor]:
        """Propagate one step back; also return the gradient of the input x (P, E)."""
        d_state, d_packed = self._step_back(d_state, positions)
        return d_state, d_packed.flatten(1) @ self._input_jacobian.t()

    def _step_back(self, d_state: Any, positions: Tensor) -> tuple[Any, Tensor]:
        """Return the gradients of the previous states and the preactivations (P, S, H)."""
        d_h, module = d_state.h, self._module
        d_packed = d_h.new_empty(1, len(d_h), module.BLOCKS, d_h.shape[-1])
        saved = tree_map(lambda tensor: tensor[positions], self._saved)
        d_state = module.step_back(saved, d_state, torch.zeros_like(d_h), self._norms, module.split(d_packed[0]))
        d_h = torch.addmm(d_state.h, recurrent_columns(d_packed, self._weights)[0], self._weights.W_hh)
        return d_state._replace(h=d_h), d_packed[0]

    @cached_property
    def _input_jacobian(self) -> Tensor:
        """Return d preactivations / d x, transposed: (E, S·H)."""
        cell, W_ih = self._cell, self._cell.W_ih.weight
        table = torch.cat([W_ih.t(), torch.zeros_like(W_ih[:, :1]).t()])  # of the unit vectors and of zero
        with_bias = weights_of(cell, table, cell.W_hh.weight).table
        return center_weights(self._weights._replace(table=with_bias[:-1] - with_bias[-1])).table


def tree_map(function: Callable[..., Tensor], *trees: Any) -> Any:
    """Apply a function to the tensors of nested tuples; None stays None."""
    if trees[0] is None or isinstance(trees[0], Tensor):
        return None if trees[0] is None else function(*trees)
    return type(trees[0])(*(tree_map(function, *branches) for branches in zip(*trees, strict=True)))
