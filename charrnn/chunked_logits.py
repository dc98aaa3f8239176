"""
What logits (N, V) are made into, some of them at a time, so that nothing grows with text and vocabulary together.

NUMBERS is how many there may be at once: a matter of memory alone.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

NUMBERS = (
    3 << 20
)  # 64 texts of 512 characters in the vocabulary of Tiny Shakespeare, or 157 characters of one of 20,000
LEAST_KL_NATS = 1e-28  # what float64 can tell: logits are rounded to some 1e-15, and KL goes by their square
SMALL = 1e-3


def at_once(numbers: int, most: int) -> int:
    """How many things that take so many numbers each to go about together: 1 at least."""
    return max(1, min(most, NUMBERS // numbers))


def loss_gradients(head: nn.Linear, h: Tensor, next_ids: Tensor) -> Tensor:
    """The gradient of the loss of the character after each h (P, H) by that h: next_ids (P,) -> (P, H)."""
    found = []
    for some, ids in zip(*(each.split(at_once(head.out_features, len(h))) for each in (h, next_ids)), strict=True):
        d_logits = head(some).softmax(-1)  # (p, V): softmax − one-hot
        d_logits[torch.arange(len(ids)), ids] -= 1
        found.append(d_logits @ head.weight)
    return torch.cat(found)


def divergences_nats(p: Tensor, q: Tensor) -> Tensor:
    """
    KL(p ‖ q) of distributions given by logits in float64: (…, V) twice -> (…); 0 where it is below LEAST_KL_NATS.

    KL = ln Σ p exp(d), d the differences of the logits without their mean under p. They are small where the two agree,
    and so is what is added up: the logarithms of p and q, subtracted, would leave 1e-17 of nothing.
    """
    found = [_divergence(*some) for some in _rows(p, q)]
    nats = torch.cat(found).view(p.shape[:-1])
    return nats.where(nats >= LEAST_KL_NATS, 0)


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    weights, d = p.softmax(-1), q - p
    d = d - (weights * d).sum(-1, keepdim=True)
    beyond = torch.where(d.abs() < SMALL, d**2 / 2 * (1 + d / 3 * (1 + d / 4)), d.expm1() - d)  # exp(d) − 1 − d
    return (weights * beyond).sum(-1).log1p()


def _rows(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The rows of tensors (…, V) side by side, few enough that some ten of their size take little memory."""
    count = at_once(10 * tensors[0].shape[-1], tensors[0].numel())
    return zip(*(each.reshape(-1, each.shape[-1]).split(count) for each in tensors), strict=True)
