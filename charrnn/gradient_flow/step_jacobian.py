"""
Products with the step Jacobian J_t = ∂state_t / ∂state_{t−1}.

J is never formed: u ↦ Jᵀu is one step of the backward pass, v ↦ Jv the derivative of the cell (`cells`) along v. The
state is h, for an LSTM h and c concatenated; D numbers. All in float64.
"""

import copy
from typing import Any

import torch
from torch import Tensor

from charrnn.chunked_logits import loss_gradients
from charrnn.gradient_flow.backward import AutogradBackwardPass, backward_pass
from charrnn.minigpt import MiniGPT
from charrnn.model import CharRNN
from charrnn.registry import Network


class Steps:
    """The step Jacobians of a recurrent network along a text, from a zero state."""

    def __init__(self, model: Network, ids: Tensor):
        """Read a text. Raises ValueError for a model without a state."""
        exact = _exact(model)
        self.ids = ids
        self._cell, self._head = exact.cell, exact.head
        self._table, self._rows = exact.inputs(ids)
        self._backprop = backward_pass(exact, ids)
        self._State = type(self._backprop.states)
        self._widths = [part.shape[1] for part in self._backprop.states]
        self._from_state = self._cell.W_hh(self._backprop.states.h)  # (N, G·H)

    @property
    def dim(self) -> int:
        """Size of a state, D."""
        return sum(self._widths)

    def d_loss(self, positions: Tensor) -> Tensor:
        """Return the gradient of the next character's loss by the state: (P,) -> (P, D)."""
        d_h = loss_gradients(self._head, self._backprop.h[positions], self.ids[positions + 1])
        return _packed(self._backprop.state_gradient(d_h))

    def vjp(self, u: Tensor, positions: Tensor) -> Tensor:
        """Return J_tᵀ u for the steps to `positions` (P,): (P, D) -> (P, D)."""
        return _packed(self._backprop.step_back(self._parts(u), positions))

    def jvp(self, v: Tensor, positions: Tensor) -> Tensor:
        """Return J_t v for the steps to `positions` (P,) >= 1: (P, D) -> (P, D)."""
        d_state = self._parts(v)
        if isinstance(self._backprop, AutogradBackwardPass):
            return _packed(self._backprop.jvp(d_state, positions))
        tangent = (d_state.h @ self._cell.W_hh.weight.t(), *d_state)
        with torch.enable_grad():  # double backward: differentiate u ↦ Jᵀu along v
            inputs = [part[positions - 1].requires_grad_() for part in (self._from_state, *self._backprop.states)]
            state = self._cell.update(self._table[self._rows[positions]], inputs[0], self._State(*inputs[1:]))[0]
            after = _packed(state)
            u = torch.zeros_like(after, requires_grad=True)
            vjp = torch.autograd.grad(after, inputs, u, create_graph=True, allow_unused=True)
            used = [(part, d) for part, d in zip(vjp, tangent, strict=True) if part is not None]
            return torch.autograd.grad([part for part, _ in used], u, [d for _, d in used])[0]

    def _parts(self, packed: Tensor) -> Any:
        return self._State(*packed.split(self._widths, dim=-1))


@torch.no_grad()
def step_jacobians(model: Network, ids: Tensor, positions: Tensor) -> Tensor:
    """
    Return the step Jacobians at `positions` (P,): (P, D, D), float64.

    Row i belongs to entry i of the new state. Raises ValueError for a model without a state.
    """
    steps = Steps(model, ids)
    rows = torch.eye(steps.dim, dtype=torch.float64).repeat(len(positions), 1)  # unit vectors e_i for each position
    return steps.vjp(rows, positions.repeat_interleave(steps.dim)).view(len(positions), steps.dim, steps.dim)


def _exact(model: Network) -> CharRNN:
    """Return a frozen float64 copy. Raises ValueError for a model without a state."""
    if isinstance(model, MiniGPT):
        raise ValueError("MiniGPT carries no state from step to step: it has no step Jacobians and no exponents")
    return copy.deepcopy(model).double().requires_grad_(False)


def _packed(state: Any) -> Tensor:
    """Concatenate the parts of a state, (P, D)."""
    return torch.cat(tuple(state), dim=-1)
