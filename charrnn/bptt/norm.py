"""Layer norm over a whole sequence: normalise step by step, and the way back by hand."""

from typing import NamedTuple

import torch
from torch import Tensor


class Norm(NamedTuple):
    """The gain and shift of everything a cell normalises, in the order of `cell.normed`: each (N, H)."""

    gain: Tensor
    shift: Tensor
    eps: float


class Normalised(NamedTuple):
    """What the way back needs of a sequence of normalised vectors."""

    x_hat: Tensor  # (T, B, N, H) zero mean, unit variance
    scale: Tensor  # (T, B, N, 1) 1 / standard deviation

    @classmethod
    def empty(cls, like: Tensor) -> "Normalised":
        """Room for all vectors of a tensor (T, B, N, H)."""
        return cls(like.new_empty(like.shape), like.new_empty(*like.shape[:-1], 1))

    def put(self, t: int, x: Tensor, eps: float, which: slice = slice(None)) -> Tensor:
        """Normalise vectors x (B, n, H) of step t, `which` of the N -> (B, n, H)."""
        x_hat, _, scale = torch.native_layer_norm(x, x.shape[-1:], None, None, eps)
        self.x_hat[t, :, which], self.scale[t, :, which] = x_hat, scale
        return x_hat


def back(d_y: Tensor, gain: Tensor, x_hat: Tensor, scale: Tensor, out: Tensor) -> Tensor:
    """
    The gradient of x, from that of y = gain · x̂ + shift; all (…, H), scale (…, 1). Ba et al. 2016.

    dx = (u − mean u − x̂ · mean(u · x̂)) / σ with u = gain · dy: what would only move or stretch x is taken out.
    """
    torch.mul(d_y, gain, out=out)
    along = torch.mul(out, x_hat).mean(-1, keepdim=True)
    out.sub_(out.mean(-1, keepdim=True))
    return out.addcmul_(x_hat, along, value=-1).mul_(scale)


def gradients(d_y: Tensor, x_hat: Tensor) -> tuple[Tensor, Tensor]:
    """Those of gain and shift (N, H), from what came back over a whole sequence, both (T, B, N, H)."""
    return torch.linalg.vecdot(d_y.flatten(0, 1), x_hat.flatten(0, 1), dim=0), d_y.sum((0, 1))


def look_up(table: Tensor, ids: Tensor, out: Tensor) -> Tensor:
    """The rows of a table (V, N) for ids (T, B), written to out (T, B, N)."""
    torch.index_select(table, 0, ids.reshape(-1), out=out.view(ids.numel(), -1))
    return out
