"""What the steps of all cells are made of: rows of a table, room for gradients, and the way back through a squash."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

CACHE = 1 << 18  # numbers

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


class Room(NamedTuple):
    """Where a step leaves its gradients, before anything is summed over the batch."""

    d_sums: Tensor  # (B, K, H)
    d_from_state: Tensor  # (B, G·H), the first G of them
    d_gain: Tensor  # (B, N, H); N is 0 without layer norm
    d_shift: Tensor  # (B, N, H)

    @classmethod
    def new(cls, like: Tensor, sums: int, from_state: int, normed: int) -> "Room":
        """Room for states like this one (B, H): K sums, from_state numbers of them from the state, N normed vectors."""
        d_sums = like.new_empty(len(like), sums, like.shape[-1])
        d_norm = like.new_empty(2, len(like), normed, like.shape[-1])
        return cls(d_sums, d_sums.flatten(1)[:, :from_state], *d_norm)


def at_once(device: torch.device, numbers: int) -> int:
    """How many steps of so many numbers to go about together: what a CPU's cache holds, as many as can be on a GPU."""
    return max(1, CACHE // numbers) if device.type == "cpu" else 1 << 30


def look_up(table: Tensor, ids: Tensor, out: Tensor) -> Iterator[Tensor]:
    """The steps of out (T, B, N), one after the other, with the rows of a table (V, N) for ids (T, B) in them."""
    some = at_once(table.device, out[0].numel())
    for few, steps in zip(ids.split(some), out.split(some), strict=True):
        torch.index_select(table, 0, few.reshape(-1), out=steps.view(few.numel(), -1))
        yield from steps


def sigmoid_back(d_y: Tensor, y: Tensor, out: Tensor) -> Tensor:
    """dx = dy · y (1 − y) for y = sigmoid(x)."""
    return _sigmoid_backward(d_y, y, grad_input=out)


def tanh_back(d_y: Tensor, y: Tensor, out: Tensor) -> Tensor:
    """dx = dy · (1 − y²) for y = tanh(x)."""
    return _tanh_backward(d_y, y, grad_input=out)
