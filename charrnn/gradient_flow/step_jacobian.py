"""
The step Jacobian J_t = ∂state_t / ∂state_{t−1} of a network that reads a text, applied to vectors.

Both ways round and never written out: u ↦ Jᵀu is a step of the way back, v ↦ Jv the derivative of the readable cell
along v (`cells`). The state is h, of an LSTM h and c side by side; D numbers. All in float64.
"""

import copy
from typing import Any

import torch
from torch import Tensor

from charrnn.chunked_logits import loss_gradients
from charrnn.gradient_flow.backward import AutogradWalk, way_back
from charrnn.minigpt import MiniGPT
from charrnn.model import CharRNN
from charrnn.registry import Network


class Steps:
    """A text once read by a recurrent network, from a zero state, and the steps between its states."""

    def __init__(self, model: Network, ids: Tensor):
        """Raises ValueError for a model that carries no state."""
        exact = _exact(model)
        self.ids = ids
        self._cell, self._head = exact.cell, exact.head
        self._table, self._rows = exact.inputs(ids)
        self._walk = way_back(exact, ids)
        self._State = type(self._walk.states)
        self._widths = [part.shape[1] for part in self._walk.states]
        self._from_state = self._cell.W_hh(self._walk.states.h)  # (N, G·H)

    @property
    def dim(self) -> int:
        """Numbers in a state, D."""
        return sum(self._widths)

    def d_loss(self, positions: Tensor) -> Tensor:
        """The gradient of the loss of the character after each position (P,), by the state there: (P, D)."""
        d_h = loss_gradients(self._head, self._walk.h[positions], self.ids[positions + 1])
        return _packed(self._walk.from_h(d_h))

    def back(self, u: Tensor, positions: Tensor) -> Tensor:
        """J_tᵀ u for the steps that led to these positions (P,): (P, D) -> (P, D)."""
        return _packed(self._walk.back(self._parts(u), positions))

    def forth(self, v: Tensor, positions: Tensor) -> Tensor:
        """J_t v for the steps that led to these positions (P,), 1 at least: (P, D) -> (P, D)."""
        d_state = self._parts(v)
        if isinstance(self._walk, AutogradWalk):
            return _packed(self._walk.forth(d_state, positions))
        along = (d_state.h @ self._cell.W_hh.weight.t(), *d_state)
        with torch.enable_grad():  # the derivative of u ↦ uᵀJ along v: the way back, gone back again
            at = [part[positions - 1].requires_grad_() for part in (self._from_state, *self._walk.states)]
            state = self._cell.update(self._table[self._rows[positions]], at[0], self._State(*at[1:]))[0]
            after = _packed(state)
            u = torch.zeros_like(after, requires_grad=True)
            back = torch.autograd.grad(after, at, u, create_graph=True, allow_unused=True)
            used = [(part, d) for part, d in zip(back, along, strict=True) if part is not None]
            return torch.autograd.grad([part for part, _ in used], u, [d for _, d in used])[0]

    def _parts(self, packed: Tensor) -> Any:
        return self._State(*packed.split(self._widths, dim=-1))


@torch.no_grad()
def step_jacobians(model: Network, ids: Tensor, positions: Tensor) -> Tensor:
    """
    The step Jacobians at these positions (P,) of a text, written out: (P, D, D), float64; a row for each new number.

    Raises ValueError for a model that carries no state.
    """
    steps = Steps(model, ids)
    rows = torch.eye(steps.dim, dtype=torch.float64).repeat(len(positions), 1)  # e_i of each position
    return steps.back(rows, positions.repeat_interleave(steps.dim)).view(len(positions), steps.dim, steps.dim)


def _exact(model: Network) -> CharRNN:
    """A copy in float64 that nothing learns from. Raises ValueError for a model that carries no state."""
    if isinstance(model, MiniGPT):
        raise ValueError("MiniGPT carries no state from step to step: it has no step Jacobians and no exponents")
    return copy.deepcopy(model).double().requires_grad_(False)


def _packed(state: Any) -> Tensor:
    """The parts of a state side by side, (P, D)."""
    return torch.cat(tuple(state), dim=-1)
