"""
The equations of the Transformer.

Pre-norm blocks (Xiong et al. 2020) of causal attention (Vaswani et al. 2017) and an MLP, RMSNorm (Zhang & Sennrich
2019), rotary positions (Su et al. 2021), no biases.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from charrnn.dropout import dropout

ROTARY_BASE = 10_000.0
RMS_EPS = 1e-6


class KVCache(NamedTuple):
    """State of a Transformer: keys and values that the next character can attend to."""

    keys: tuple[Tensor, ...]  # layers × (B, heads, n, d_head), rotated; n <= context - 1
    values: tuple[Tensor, ...]  # layers × (B, heads, n, d_head)
    position: int  # of the next character: the number read so far


def residual_streams(
    blocks: Iterable[Any],
    x: Tensor,
    rotation: Tensor,
    extend: Callable[..., tuple[Tensor, Tensor]],
    rng: torch.Generator | None,
) -> list[Tensor]:
    """
    Return the residual stream before and after each block, layers + 1 × (B, T, d).

    x (B, T, d): embedded characters.
    """
    streams = [x]
    for layer, block in enumerate(blocks):
        streams.append(transformer_block(block, streams[-1], rotation, partial(extend, layer), rng))
    return streams


def stream_name(layer: int) -> str:
    """Return the name of the residual stream after `layer` blocks."""
    return f"layer {layer}" if layer else "embedding"


def transformer_block(
    block: Any,
    x: Tensor,
    rotation: Tensor,
    extend: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    rng: torch.Generator | None,
) -> Tensor:
    """
    One block: x + attention(norm(x)), then x + MLP(norm(x)).

    x (B, T, d), rotation (T, d_head / 2) of its positions -> (B, T, d). `extend` maps the keys and values of these
    characters, (B, heads, T, d_head), to those including all earlier ones, (B, heads, n + T, d_head).
    """
    q, k, v = split_heads(block.qkv(block.attention_norm(x)), block.heads)  # (B, heads, T, d_head) each
    k, v = extend(rotate(k, rotation), v)  # (B, heads, n + T, d_head)
    attended = window_attention(rotate(q, rotation), k, v, block.context).transpose(1, 2).reshape(x.shape)
    x = x + dropout(block.attention_out(attended), block.dropout, rng)
    return x + dropout(block.mlp_out(gelu(block.mlp_in(block.mlp_norm(x)))), block.dropout, rng)


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    """
    Divide x by its root mean square and scale by weight. Zhang & Sennrich 2019.

    x (..., d) -> (..., d). The root mean square is increased by 1e-6, so zeros stay zeros.
    """
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)  # (..., 1)
    return x / (norm * len(weight) ** -0.5 + RMS_EPS) * weight


def gelu(x: Tensor) -> Tensor:
    """Return x Φ(x), Φ the normal distribution function. Hendrycks & Gimpel 2016."""
    return F.gelu(x)


def split_heads(qkv: Tensor, heads: int) -> list[Tensor]:
    """Split qkv (B, T, 3 d) into queries, keys and values, (B, heads, T, d_head) each."""
    parts = qkv.chunk(3, dim=-1)  # its gradient is one concatenation; slices would fill in zeros
    return [part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts]


def rotation_at(positions: Tensor, pairs: Tensor) -> Tensor:
    """
    Return the rotary angles as unit complex numbers, (T, d_head / 2).

    positions (T,), pairs 0, 1, … (d_head / 2,). Pair i at position p turns by p · base^(-2i / d_head). Su et al.
    2021. Float64 keeps large positions exact.
    """
    angle = positions[:, None] * ROTARY_BASE ** (-pairs / len(pairs))  # (T, d_head / 2)
    return torch.polar(torch.ones_like(angle), angle)


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Rotate neighboring pairs of x (B, heads, T, d_head) by rotation (T, d_head / 2)."""
    return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * rotation).flatten(-2)


def window_attention(q: Tensor, k: Tensor, v: Tensor, context: int) -> Tensor:
    """
    Return softmax(q kᵀ / √d_head) v over a sliding window of `context` keys.

    Each query sees its own key and the context - 1 before it. q (B, heads, T, d_head) are the last T positions of k,
    v (B, heads, n + T, d_head) -> (B, heads, T, d_head).
    """
    blocks = []
    for first in range(0, q.shape[2], context):  # blocks of one context: the cost grows with T, not with T²
        block = q[:, :, first : first + context]
        own = k.shape[2] - q.shape[2] + first  # position of the first query's own key
        start, end = max(0, own - context + 1), own + block.shape[2]
        mask = window_mask(block.shape[2], end - start, context).to(q.device) if own and block.shape[2] > 1 else None
        keys, values = k[:, :, start:end], v[:, :, start:end]
        blocks.append(F.scaled_dot_product_attention(block, keys, values, attn_mask=mask, is_causal=own == 0))
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=2)


def window_mask(queries: int, keys: int, context: int) -> Tensor:
    """Return the attention mask, bool (queries, keys); both end at the same position."""
    own = keys - queries  # column of the first query's own key
    return torch.ones(queries, keys, dtype=torch.bool).tril(own).triu(own - context + 1)
