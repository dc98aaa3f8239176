"""Forward and backward loops over a sequence, for every cell."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from charrnn.bptt import gru, lstm, vanilla
from charrnn.bptt.layer_norm import Norm, Norms, subtract_mean
from charrnn.cells import EPS, Cell, GRUCell, LSTMCell, VanillaRNNCell

CELL_MODULES: dict[type[Cell], Any] = {VanillaRNNCell: vanilla, LSTMCell: lstm, GRUCell: gru}
CACHE = 1 << 18  # numbers that fit a CPU's cache


class Weights(NamedTuple):
    """Weights of a cell for the loop; a step has S blocks of H sums."""

    rows: Tensor  # (V, S·H) input table, W_ih x + b
    weight: Tensor  # (G·H, H) W_hh, which adds to the first G blocks
    gain: Tensor | None  # (N, H) of layer norm: of the gates, then of the state
    shift: Tensor | None  # (N, H)


class Segment(NamedTuple):
    """Consecutive steps saved for the backward pass."""

    ids: Tensor  # (T, B)
    h_before: Tensor  # (T, B, H)
    steps: list[Any]  # the cell's saved values of T steps


def weights_of(cell: Cell, table: Tensor, weight: Tensor) -> Weights:
    """Collect the weights; arguments as in `through_time`."""
    rows = CELL_MODULES[type(cell)].rows(table, cell.W_hh.bias)
    if not cell.layer_norm:
        return Weights(rows, weight, None, None)
    layers = cell.norm.values()
    gain, shift = torch.stack([layer.weight for layer in layers]), torch.stack([layer.bias for layer in layers])
    return Weights(rows, weight, gain, shift)


def center_weights(weights: Weights) -> Weights:
    """
    Remove the part of the weights that layer norm subtracts from every gate.

    The map is linear and symmetric, so it also maps the gradients.
    """
    rows, weight, gain, _ = weights
    if gain is None:
        return weights
    gates, hidden = len(gain) - 1, gain.shape[1]
    return weights._replace(rows=subtract_mean(rows, gates, hidden, 1), weight=subtract_mean(weight, gates, hidden, 0))


def norms_of(weights: Weights) -> Norms | None:
    """Return the layer norm parameters; None without layer norm."""
    gain, shift = weights.gain, weights.shift
    if gain is None or shift is None:
        return None
    return Norms(Norm(gain[:-1], shift[:-1]), Norm(gain[-1], shift[-1]), gain.new_tensor(EPS))


def forward(
    module: Any, weights: Weights, norms: Norms | None, ids: Tensor, state: Any, keep: bool = True
) -> tuple[Tensor, Any, list[Segment]]:
    """
    Run a cell over ids (T, B) from `state`.

    Returns the hidden states (T+1, B, H), the first of which is the initial one, the last state, and the saved
    segments (empty unless `keep`).
    """
    rows, weight_T = weights.rows, weights.weight.t().contiguous()
    h = rows.new_empty(len(ids) + 1, *state.h.shape)
    h[0] = state.h
    tape = []
    some = steps_per_block(rows.device, ids.shape[1] * rows.shape[1])
    for few, before, after in zip(ids.split(some), h[:-1].split(some), h[1:].split(some), strict=True):
        in_place = module.IN_PLACE and norms is None
        sums = after[:, :, None] if in_place else rows.new_empty(*few.shape, module.SUMS, h.shape[-1])
        torch.index_select(rows, 0, few.reshape(-1), out=sums.view(few.numel(), -1))
        segment = Segment(few, before, [])
        for of_state, parts, h_t in zip(
            recurrent_columns(sums, weights), unbind_steps(module.parts(sums)), after, strict=True
        ):
            of_state.addmm_(state.h, weight_T)
            state, local = module.step(parts, state, norms, h_t)
            if keep:
                segment.steps.append(local)
        if keep:
            tape.append(segment)
    return h, state, tape


def backward(
    module: Any, weights: Weights, norms: Norms | None, tape: list[Segment], d_h: Tensor, d_state: Any
) -> tuple[Weights, Any]:
    """
    Return the gradients of the weights and of the initial state.

    d_h (T, B, H): gradient of the hidden states; d_state: of the last state.
    """
    d_rows, d_weight = torch.zeros_like(weights.rows), torch.zeros_like(weights.weight)
    _, batch, hidden = d_h.shape
    if norms:
        d_gates = Norm(*(part.new_zeros(batch, *part.shape) for part in norms.gates))
        norms = norms._replace(d_gates=d_gates, d_alone=Norm(*map(torch.zeros_like, norms.alone)))
    d_sums = d_h.new_empty(len(tape[0].steps), batch, module.SUMS, hidden)
    slots = list(zip(unbind_steps(module.parts(d_sums)), recurrent_columns(d_sums, weights).unbind(), strict=True))
    above = [torch.zeros_like(d_h[0]), *d_h]
    d_state = d_state._replace(h=d_state.h + above.pop())
    for few in reversed(tape):
        steps = len(few.steps)
        for local, (parts, of_state) in zip(reversed(few.steps), reversed(slots[:steps]), strict=True):
            d_state = module.step_back(local, d_state, above.pop(), norms, parts)
            d_state = d_state._replace(h=torch.addmm(d_state.h, of_state, weights.weight))
        d_rows.index_add_(0, few.ids.reshape(-1), d_sums[:steps].flatten(0, 1).flatten(1))
        d_weight.addmm_(recurrent_columns(d_sums[:steps], weights).flatten(0, 1).t(), few.h_before.flatten(0, 1))
    if norms is None or norms.d_gates is None or norms.d_alone is None:
        return Weights(d_rows, d_weight, None, None), d_state
    d_norm = (torch.cat([gates.sum(0), alone[None]]) for gates, alone in zip(norms.d_gates, norms.d_alone, strict=True))
    return Weights(d_rows, d_weight, *d_norm), d_state


def recurrent_columns(sums: Tensor, weights: Weights) -> Tensor:
    """Return the sums that depend on the state: (T, B, S, H) -> (T, B, G·H)."""
    return sums.flatten(2)[..., : len(weights.weight)]


def unbind_steps(parts: Any) -> list[Any]:
    """Split a sequence into steps; the results are views."""
    return [type(parts)(*step) for step in zip(*(part.unbind() for part in parts), strict=True)]


def steps_per_block(device: torch.device, numbers: int) -> int:
    """Return how many steps to run per block: what fits a CPU's cache, all on a GPU."""
    return max(1, CACHE // numbers) if device.type == "cpu" else 1 << 30


class BackwardPass:
    """Backpropagate from many positions of one text in parallel."""

    def __init__(self, cell: Cell, table: Tensor, ids: Tensor):
        """Read ids (N, 1) from a zero state; `table` as in `through_time`."""
        self._cell, self._module = cell, CELL_MODULES[type(cell)]
        self._weights = center_weights(weights_of(cell, table, cell.W_hh.weight))
        self._norms = norms_of(self._weights)
        start = cell.initial_state(1)
        h, last, tape = forward(self._module, self._weights, self._norms, ids, start)
        steps = [step for few in tape for step in few.steps]
        self._local = tree_map(lambda *parts: torch.cat(parts), *steps)  # every tensor (N, …)
        self._state = type(start)
        self.h = h[1:, 0]  # (N, H)
        carried = [
            torch.cat([getattr(self._local, f"{name}_before")[1:], end])
            for name, end in zip(start._fields[1:], last[1:], strict=True)
        ]
        self.states = self._state(self.h, *carried)  # after each character, (N, H) each

    def from_h(self, d_h: Tensor) -> Any:
        """Return a state gradient with only its h set: d_h (P, H)."""
        return self._state(d_h, *(torch.zeros_like(d_h) for _ in self._state._fields[1:]))

    def back(self, d_state: Any, positions: Tensor) -> Any:
        """Propagate state gradients at `positions` (P,) one step back."""
        return self._back(d_state, positions)[0]

    def back_with_input(self, d_state: Any, positions: Tensor) -> tuple[Any, Tensor]:
        """Propagate one step back; also return the gradient of the input x (P, E)."""
        d_state, d_sums = self._back(d_state, positions)
        return d_state, d_sums.flatten(1) @ self._input_to_sums.t()

    def _back(self, d_state: Any, positions: Tensor) -> tuple[Any, Tensor]:
        """Return the gradients of the previous states and of the sums (P, S, H)."""
        d_h, module = d_state.h, self._module
        d_sums = d_h.new_empty(1, len(d_h), module.SUMS, d_h.shape[-1])
        local = tree_map(lambda part: part[positions], self._local)
        d_state = module.step_back(local, d_state, torch.zeros_like(d_h), self._norms, module.parts(d_sums[0]))
        d_h = torch.addmm(d_state.h, recurrent_columns(d_sums, self._weights)[0], self._weights.weight)
        return d_state._replace(h=d_h), d_sums[0]

    @cached_property
    def _input_to_sums(self) -> Tensor:
        """Return d sums / d x: (E, S·H)."""
        cell, matrix = self._cell, self._cell.W_ih.weight
        moved = weights_of(cell, torch.cat([matrix.t(), torch.zeros_like(matrix[:, :1]).t()]), cell.W_hh.weight).rows
        return center_weights(self._weights._replace(rows=moved[:-1] - moved[-1])).rows


def tree_map(function: Callable[..., Tensor], *trees: Any) -> Any:
    """Apply a function to the tensors of nested tuples; None stays None."""
    if trees[0] is None or isinstance(trees[0], Tensor):
        return None if trees[0] is None else function(*trees)
    return type(trees[0])(*(tree_map(function, *parts) for parts in zip(*trees, strict=True)))
