"""
A text once read by a recurrent network, and the way back through it.

By hand (`bptt`) where that computes what the cell's equations say, else by autograd through the cell itself.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from charrnn.bptt import BackwardPass
from charrnn.model import CharRNN

COMPARED = 64  # characters on which the loop over the cell is held against the network's own `forward`


def way_back(model: CharRNN, ids: Tensor) -> "BackwardPass | AutogradWalk":
    """Read ids (N,) from the state before any text. Raises ValueError for a network that cannot be followed."""
    if model.by_hand_differs():
        return AutogradWalk(model, ids)
    return BackwardPass(model.cell, *model.inputs(ids[:, None]))


class AutogradWalk:
    """What `bptt.BackwardPass` is, for any cell: each step back is autograd through one step of the cell."""

    @torch.no_grad()
    def __init__(self, model: CharRNN, ids: Tensor):
        self._cell, self._x = model.cell, model.embed(ids)
        states = [self._cell.initial_state(1)]
        for x in self._x.split(1):
            states.append(self._cell(x, states[-1]))
        self._state = type(states[0])
        self._before = [torch.cat(parts) for parts in zip(*states[:-1], strict=True)]  # (N, …) each
        self.states = self._state(*(torch.cat(parts) for parts in zip(*states[1:], strict=True)))
        self.h = self.states.h  # (N, H)
        first = ids[None, :COMPARED]
        if not torch.allclose(model(first)[0][0], model.head(self.h[:COMPARED])):
            raise ValueError(
                "this network's forward is not embed, cell, head: its gradient cannot be followed from state to state"
            )

    def from_h(self, d_h: Tensor) -> Any:
        """The gradient of a state where only its h is looked at: d_h (P, H)."""
        nothing = {name: part.new_zeros(len(d_h), part.shape[1]) for name, part in self.states._asdict().items()}
        return self._state(**nothing | {"h": d_h})

    def back(self, d_state: Any, positions: Tensor) -> Any:
        """From the gradient of the states at these positions (P,) to that of the states one character before."""
        return self.back_and_in(d_state, positions)[0]

    @torch.enable_grad()
    def back_and_in(self, d_state: Any, positions: Tensor) -> tuple[Any, Tensor]:
        """The same, and the gradient of what the cell read at these positions, x (P, E)."""
        at, after = self._step(positions)
        d_x, *d_before = _vjp(after, at, d_state)
        return self._state(*d_before), d_x

    @torch.enable_grad()
    def forth(self, d_state: Sequence[Tensor], positions: Tensor) -> list[Tensor]:
        """The derivative of the states at these positions (P,) along d_state of the states one character before."""
        (_, *before), after = self._step(positions)
        u = [torch.zeros_like(part, requires_grad=True) for part in after]
        back = _vjp(after, before, u, create_graph=True)  # the derivative of u ↦ uᵀJ along d_state
        return _vjp(back, u, d_state)

    def _step(self, positions: Tensor) -> tuple[list[Tensor], Any]:
        """What goes into the steps that led to these positions, x and the state before, and what came out."""
        at = [part[positions].detach().requires_grad_() for part in (self._x, *self._before)]
        return at, self._cell(at[0], self._state(*at[1:]))


def _vjp(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], d_outputs: Sequence[Tensor], create_graph: bool = False
) -> list[Tensor]:
    """The gradients of the inputs; zeros where nothing depends on them."""
    some = [(output, d) for output, d in zip(outputs, d_outputs, strict=True) if output.requires_grad]
    gradients = torch.autograd.grad(
        [output for output, _ in some],
        inputs,
        [d for _, d in some],
        create_graph=create_graph,
        allow_unused=True,
        materialize_grads=True,
    )
    return [*gradients]
