"""
Matrix products of float32 tensors on a processor, computed by oneDNN.

torch.mm uses MKL, which is about half as fast on AMD processors with AVX-512. Other types and devices, and few rows,
use torch.mm.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

MIN_ROWS = 16  # a call of oneDNN costs more than a small product


def uses_onednn(x: Tensor, rows: int) -> bool:
    """Return whether products of `rows` rows like x are computed by oneDNN."""
    available = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return available and x.dtype is torch.float32 and x.device.type == "cpu" and rows >= MIN_ROWS


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b without gradients: x (…, K), weight (N, K), bias (N,) -> (…, N)."""
    if not uses_onednn(x, x.numel() // x.shape[-1]):
        return F.linear(x, weight, bias)
    if not (weight.is_contiguous() or weight.t().is_contiguous()):
        weight = weight.contiguous()  # oneDNN takes seconds for other layouts
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def product_over_rows(a: Tensor, b: Tensor) -> Tensor:
    """Return aᵀ b without gradients: a (M, N), b (M, K) -> (N, K)."""
    return product(a.t(), b.t()) if a.shape[1] <= b.shape[1] else product(b.t(), a.t()).t()  # faster in this order


def repeated_product(weight: Tensor, rows: int) -> Callable[[Tensor], Tensor]:
    """
    Return a function x (rows, K) -> x Wᵀ (rows, N), without gradients.

    weight (N, K) is copied once in the memory order that the product needs.
    """
    if not uses_onednn(weight, rows):
        transposed = weight.t().contiguous()
        return lambda x: x @ transposed
    packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")


class Linear(nn.Linear):
    """`torch.nn.Linear`, faster where `uses_onednn`."""

    def forward(self, x: Tensor) -> Tensor:
        if not uses_onednn(x, x.numel() // x.shape[-1]):
            return super().forward(x)
        return _Linear.apply(x, self.weight, self.bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_y: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        d_rows = d_y.flatten(0, -2)  # (M, N)
        return (
            product(d_y, weight.t()) if for_x else None,
            product_over_rows(d_rows, x.flatten(0, -2)) if for_weight else None,
            d_rows.sum(0) if for_bias else None,
        )
