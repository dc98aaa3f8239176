"""
Computations over logits (N, V), in chunks of rows to bound memory.

MAX_LOGITS logits may exist at once; it affects memory use only.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

MAX_LOGITS = 3 << 20  # e.g. 64 texts of 512 characters with a vocabulary of 96, or 157 characters with one of 20,000
MIN_KL_NATS = 1e-28  # resolution of float64: logits are rounded to about 1e-15, and KL is quadratic in them
SMALL = 1e-3


def chunk_size(numbers: int, limit: int) -> int:
    """Return the chunk size for items of so many numbers each: 1 to `limit`."""
    return max(1, min(limit, MAX_LOGITS // numbers))


def loss_gradients(head: nn.Linear, h: Tensor, next_ids: Tensor) -> Tensor:
    """Return d loss / d h for the next character: h (P, H), next_ids (P,) -> (P, H)."""
    size = chunk_size(head.out_features, len(h))
    gradients = []
    for states, ids in zip(h.split(size), next_ids.split(size), strict=True):
        d_logits = head(states).softmax(-1)  # (p, V): softmax − one-hot
        d_logits[torch.arange(len(ids)), ids] -= 1
        gradients.append(d_logits @ head.weight)
    return torch.cat(gradients)


def divergences_nats(p: Tensor, q: Tensor) -> Tensor:
    """
    Return KL(p ‖ q) from logits in float64: (…, V) twice -> (…), nats.

    KL = ln Σ p exp(d), where d is the logit difference minus its mean under p. All terms are small if the
    distributions agree, so nothing cancels, whereas subtracting log q from log p would leave rounding errors of
    1e-17. Values below MIN_KL_NATS become 0.
    """
    nats = torch.cat([_divergence(*chunk) for chunk in _row_chunks(p, q)]).view(p.shape[:-1])
    return nats.where(nats >= MIN_KL_NATS, 0)


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    weights, d = p.softmax(-1), q - p
    d = d - (weights * d).sum(-1, keepdim=True)
    remainder = torch.where(d.abs() < SMALL, d**2 / 2 * (1 + d / 3 * (1 + d / 4)), d.expm1() - d)  # exp(d) − 1 − d
    return (weights * remainder).sum(-1).log1p()


def _row_chunks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield chunks of rows of tensors (…, V); ten of their size take little memory."""
    size = chunk_size(10 * tensors[0].shape[-1], tensors[0].numel())
    return zip(*(tensor.reshape(-1, tensor.shape[-1]).split(size) for tensor in tensors), strict=True)
