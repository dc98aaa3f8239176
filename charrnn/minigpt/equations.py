"""
The equations of the Transformer.

Pre-norm blocks (Xiong et al. 2020) of causal attention (Vaswani et al. 2017) and an MLP, RMSNorm (Zhang & Sennrich
2019), rotary positions (Su et al. 2021), no biases. As in `cells.py`, they work on tensors and on numpy arrays, which
are several times faster for a single character.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from charrnn.dropout import dropout

ROTARY_BASE = 10_000.0
RMS_EPS = 1e-6


class KVCache(NamedTuple):
    """State of a Transformer: the keys and values that the next character may attend to."""

    keys: tuple[Tensor, ...]  # layers × (B, heads, n, d_head), rotated; n <= context - 1
    values: tuple[Tensor, ...]  # layers × (B, heads, n, d_head)
    position: int  # of the next character: the number read so far


def unclamped(name: str, x: Any) -> Any:
    """Return x: replaces clamps if there are none."""
    return x


def residual_streams(
    blocks: Iterable[Any],
    x: Any,
    rotation: Any,
    extend: Callable[..., tuple[Any, Any]],
    rng: torch.Generator | None,
    held: Callable[[str, Any], Any] = unclamped,
) -> list[Any]:
    """
    Return the residual stream before and after each block, layers + 1 × (B, T, d).

    x (B, T, d): embedded characters. held: applied to each stream, with its name, before the next block.
    """
    streams = [held(stream_name(0), x)]
    for layer, block in enumerate(blocks):
        x = transformer_block(block, streams[-1], rotation, partial(extend, layer), rng)
        streams.append(held(stream_name(layer + 1), x))
    return streams


def stream_name(layer: int) -> str:
    """Return the name of the residual stream after `layer` blocks."""
    return f"layer {layer}" if layer else "embedding"


def transformer_block(
    block: Any, x: Any, rotation: Any, extend: Callable[[Any, Any], tuple[Any, Any]], rng: torch.Generator | None
) -> Any:
    """
    One block: x + attention(norm(x)), then x + MLP(norm(x)).

    x (B, T, d), rotation (T, d_head / 2) of its positions -> (B, T, d). `extend` maps the keys and values of these
    characters, (B, heads, T, d_head), to those including all earlier ones, (B, heads, n + T, d_head).
    """
    q, k, v = split_heads(block.qkv(block.attention_norm(x)), block.heads)  # (B, heads, T, d_head) each
    k, v = extend(rotate(k, rotation), v)  # (B, heads, n + T, d_head)
    attended = window_attention(rotate(q, rotation), k, v, block.context).swapaxes(1, 2).reshape(x.shape)
    x = x + dropout(block.attention_out(attended), block.dropout, rng)
    return x + dropout(block.mlp_out(gelu(block.mlp_in(block.mlp_norm(x)))), block.dropout, rng)


def rms_norm(x: Any, weight: Any) -> Any:
    """
    Divide x by its root mean square and scale by weight. Zhang & Sennrich 2019.

    x (..., d) -> (..., d). The root mean square is increased by 1e-6, so zeros stay zeros.
    """
    if isinstance(x, np.ndarray):
        norm = np.sqrt(np.vecdot(x, x))[..., None]  # (..., 1)
    else:
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)  # (..., 1)
    return x / (norm * len(weight) ** -0.5 + RMS_EPS) * weight


def gelu(x: Any) -> Any:
    """Return x Φ(x), Φ the normal distribution function. Hendrycks & Gimpel 2016."""
    if isinstance(x, np.ndarray):  # numpy has no erf; F.gelu has more overhead than work on a single vector
        return x * (0.5 + 0.5 * torch.erf(torch.from_numpy(x * 0.5**0.5)).numpy())
    return F.gelu(x)


def split_heads(qkv: Any, heads: int) -> list[Any]:
    """Split qkv (B, T, 3 d) into queries, keys and values, (B, heads, T, d_head) each."""
    d = qkv.shape[2] // 3
    if isinstance(qkv, np.ndarray):
        parts = (qkv[..., :d], qkv[..., d : 2 * d], qkv[..., 2 * d :])
    else:
        parts = qkv.chunk(3, dim=-1)  # its gradient is one concatenation; slices would fill in zeros
    return [part.reshape(*part.shape[:2], heads, d // heads).swapaxes(1, 2) for part in parts]


def rotation_at(positions: Any, pairs: Any) -> Any:
    """
    Return the rotary angles as unit complex numbers, (T, d_head / 2).

    positions (T,), pairs 0, 1, … (d_head / 2,). Pair i at position p turns by p · base^(-2i / d_head). Su et al.
    2021. Float64 keeps large positions exact.
    """
    angle = positions[:, None] * ROTARY_BASE ** (-pairs / len(pairs))  # (T, d_head / 2)
    return np.exp(1j * angle) if isinstance(angle, np.ndarray) else torch.polar(torch.ones_like(angle), angle)


def rotate(x: Any, rotation: Any) -> Any:
    """Rotate neighboring pairs of x (B, heads, T, d_head) by rotation (T, d_head / 2)."""
    if isinstance(x, np.ndarray):
        return (x.view(rotation.dtype) * rotation).view(x.dtype)
    return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * rotation).flatten(-2)


def window_attention(q: Any, k: Any, v: Any, context: int) -> Any:
    """
    Return softmax(q kᵀ / √d_head) v over a sliding window of `context` keys.

    Each query sees its own key and the context - 1 before it. q (B, heads, T, d_head) are the last T positions of k,
    v (B, heads, n + T, d_head) -> (B, heads, T, d_head).
    """
    if isinstance(q, np.ndarray):
        return _last_attention(q, k[:, :, -context:], v[:, :, -context:])
    pieces = []
    for first in range(0, q.shape[2], context):  # pieces of one context: the work grows with T, not with T²
        piece = q[:, :, first : first + context]
        own = k.shape[2] - q.shape[2] + first  # blocks of one context: the cost grows with T, not with T²
        start, end = max(0, own - context + 1), own + piece.shape[2]
        mask = window_mask(piece.shape[2], end - start, context).to(q.device) if own and piece.shape[2] > 1 else None
        keys, values = k[:, :, start:end], v[:, :, start:end]
        pieces.append(F.scaled_dot_product_attention(piece, keys, values, attn_mask=mask, is_causal=own == 0))
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)


def _last_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    scores = np.matmul(q, k.swapaxes(2, 3)) * q.dtype.type(q.shape[3] ** -0.5)  # (B, heads, 1, n)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    return np.matmul(weights, v) / weights.sum(axis=3, keepdims=True)


def window_mask(queries: int, keys: int, context: int) -> Tensor:
    """Return which keys each query sees, bool (queries, keys); both end at one position."""
    own = keys - queries  # column of the first query's own key
    return torch.ones(queries, keys, dtype=torch.bool).tril(own).triu(own - context + 1)
