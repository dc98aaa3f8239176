"""
Backpropagation through a text that a recurrent network has read.

Uses `bptt` if that computes what the cell's equations say, else autograd through the cell.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from charrnn.bptt import BackwardPass
from charrnn.model import CharRNN

COMPARED_CHARS = 64  # on which the loop over the cell is compared with the network's `forward`


def backward_pass(model: CharRNN, ids: Tensor, state: Any = None) -> "BackwardPass | AutogradBackwardPass":
    """
    Read ids (N,) from `state` (default: initial) and return the backward pass.

    Raises ValueError if `forward` is not embed → cell → head.
    """
    if model.bptt_difference():
        return AutogradBackwardPass(model, ids, state)
    return BackwardPass(model.cell, *model.inputs(ids[:, None]), state)


class AutogradBackwardPass:
    """`bptt.BackwardPass` for any cell: each step is autograd through the cell."""

    @torch.no_grad()
    def __init__(self, model: CharRNN, ids: Tensor, state: Any = None):
        self._cell, self._x = model.cell, model.embed(ids)
        states = [self._cell.initial_state(1) if state is None else state]
        for x in self._x.split(1):
            states.append(self._cell(x, states[-1]))
        self._State = type(states[0])
        self._before = [torch.cat(parts) for parts in zip(*states[:-1], strict=True)]  # (N, …) each
        self.states = self._State(*(torch.cat(parts) for parts in zip(*states[1:], strict=True)))
        self.h = self.states.h  # (N, H)
        first = ids[None, :COMPARED_CHARS]
        if not torch.allclose(model(first, states[0])[0][0], model.head(self.h[:COMPARED_CHARS])):
            raise ValueError(
                "the network's forward() is not embed → cell → head, so gradients through time cannot be computed: "
                "restore CharRNN.forward in model.py"
            )

    def state_gradient(self, d_h: Tensor) -> Any:
        """Return a state gradient with only its h set: d_h (P, H)."""
        zeros = {name: part.new_zeros(len(d_h), part.shape[1]) for name, part in self.states._asdict().items()}
        return self._State(**zeros | {"h": d_h})

    def step_back(self, d_state: Any, positions: Tensor) -> Any:
        """Propagate state gradients at `positions` (P,) one step back."""
        return self.step_back_with_input(d_state, positions)[0]

    @torch.enable_grad()
    def step_back_with_input(self, d_state: Any, positions: Tensor) -> tuple[Any, Tensor]:
        """Propagate one step back; also return the gradient of the input x (P, E)."""
        inputs, after = self._step(positions)
        d_x, *d_before = _vjp(after, inputs, d_state)
        return self._State(*d_before), d_x

    @torch.enable_grad()
    def jvp(self, tangent: Sequence[Tensor], positions: Tensor) -> list[Tensor]:
        """
        Return the derivative of the states at `positions` (P,) along a tangent.

        tangent: a direction of the states one character before.
        """
        (_, *before), after = self._step(positions)
        u = [torch.zeros_like(part, requires_grad=True) for part in after]
        vjp = _vjp(after, before, u, create_graph=True)  # u ↦ Jᵀu is linear; its transpose is the product with J
        return _vjp(vjp, u, tangent)

    def _step(self, positions: Tensor) -> tuple[list[Tensor], Any]:
        """Return inputs (x, previous state) and outputs of the steps to `positions`."""
        inputs = [part[positions].detach().requires_grad_() for part in (self._x, *self._before)]
        return inputs, self._cell(inputs[0], self._State(*inputs[1:]))


def _vjp(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], d_outputs: Sequence[Tensor], create_graph: bool = False
) -> list[Tensor]:
    """Return the gradients of the inputs; zeros if nothing depends on them."""
    used = [(output, d) for output, d in zip(outputs, d_outputs, strict=True) if output.requires_grad]
    gradients = torch.autograd.grad(
        [output for output, _ in used],
        inputs,
        [d for _, d in used],
        create_graph=create_graph,
        allow_unused=True,
        materialize_grads=True,
    )
    return [*gradients]
