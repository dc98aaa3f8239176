"""What the steps of all cells are made of: rows of a table, and the way back through a squash."""

from collections.abc import Iterator

import torch
from torch import Tensor

CACHE = 1 << 18  # numbers

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


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
