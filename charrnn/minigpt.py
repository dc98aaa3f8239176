"""
`MiniGPT`: the Transformer the lab compares with, embed → blocks → norm → head.

Pre-norm blocks (Xiong et al. 2020) of causal attention (Vaswani et al. 2017) and an MLP, RMSNorm (Zhang & Sennrich
2019), rotary positions (Su et al. 2021), no biases. Attention is a sliding window (Beltagy et al. 2020): a character
attends to itself and to the context - 1 before it, however long the text; through a stack of layers it hears of up to
layers × (context - 1) before it.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.dropout import dropout

ROTARY_BASE = 10_000.0
INITIAL_STD = 0.02


class KVCache(NamedTuple):
    """What a Transformer carries from one character to the next: all that the next one may attend to."""

    keys: tuple[Tensor, ...]  # layers × (B, heads, n, d_head), rotated; n <= context - 1
    values: tuple[Tensor, ...]  # layers × (B, heads, n, d_head)
    position: int  # of the next character: how many were read


class Block(nn.Module):
    """
    One layer: x + attention(norm(x)), then x + MLP(norm(x)).

    x (B, T, d) -> (B, T, d). Each of the two only adds to x, the residual stream.
    """

    def __init__(self, hidden_dim: int, heads: int, context: int, dropout: float = 0.0):
        super().__init__()
        self.heads, self.context, self.dropout = heads, context, dropout
        self.attention_norm = nn.RMSNorm(hidden_dim)
        self.qkv = nn.Linear(hidden_dim, 3 * hidden_dim, bias=False)
        self.attention_out = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.mlp_norm = nn.RMSNorm(hidden_dim)
        self.mlp_in = nn.Linear(hidden_dim, 4 * hidden_dim, bias=False)
        self.mlp_out = nn.Linear(4 * hidden_dim, hidden_dim, bias=False)

    def forward(
        self, x: Tensor, rotation: Tensor, cached: tuple[Tensor, Tensor] | None, rng: torch.Generator | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Read x (B, T, d), turned by rotation (T, d_head / 2), after the cached keys and values -> x, new cache."""
        B, T, d = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(B, T, 3, self.heads, d // self.heads)
        qk, v = qkv.split((2, 1), dim=2)
        q, k = rotate(qk, rotation).permute(2, 0, 3, 1, 4)  # (B, heads, T, d_head) each
        v = v.squeeze(2).transpose(1, 2)  # (B, heads, T, d_head)
        if cached is not None:
            k, v = torch.cat([cached[0], k], dim=2), torch.cat([cached[1], v], dim=2)
        attended = window_attention(q, k, v, self.context).transpose(1, 2).reshape(B, T, d)
        x = x + dropout(self.attention_out(attended), self.dropout, rng)
        x = x + dropout(self.mlp_out(F.gelu(self.mlp_in(self.mlp_norm(x)))), self.dropout, rng)
        start = max(0, k.shape[2] - self.context + 1)
        return x, (k[:, :, start:], v[:, :, start:])


def window_attention(q: Tensor, k: Tensor, v: Tensor, context: int) -> Tensor:
    """
    softmax(q kᵀ / √d_head) v, each query over the key of its own position and the context - 1 keys before it.

    q (B, heads, T, d_head) are the last T of the positions of k, v (B, heads, n + T, d_head) -> (B, heads, T, d_head).
    """
    before = k.shape[2] - q.shape[2]
    pieces = []
    for first in range(0, q.shape[2], context):  # pieces of one context: the work grows with T, not with T²
        piece = q[:, :, first : first + context]
        start, end = max(0, before + first - context + 1), before + first + piece.shape[2]
        mask = window_mask(piece.shape[2], end - start, context).to(q.device) if start or before else None
        pieces.append(
            F.scaled_dot_product_attention(
                piece, k[:, :, start:end], v[:, :, start:end], attn_mask=mask, is_causal=mask is None
            )
        )
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)


def window_mask(queries: int, keys: int, context: int) -> Tensor:
    """Which keys each query sees where the last positions of both are the same: bool (queries, keys)."""
    own = keys - queries  # column of the first query's own key
    return torch.ones(queries, keys, dtype=torch.bool).tril(own).triu(own - context + 1)


def rotation_at(position: int, length: int, d_head: int, like: Tensor) -> Tensor:
    """
    The rotary angles of `length` positions as unit complex numbers: (length, d_head / 2), in the precision of `like`.

    Pair i of position p turns by p · base^(-2i / d_head). Su et al. 2021. In float64 until the last, so that the
    billionth position is turned as exactly as the first.
    """
    pair = torch.arange(d_head // 2, dtype=torch.float64, device=like.device)
    at = torch.arange(position, position + length, dtype=torch.float64, device=like.device)
    angle = at[:, None] * ROTARY_BASE ** (-2 * pair / d_head)  # (T, d_head / 2)
    return torch.polar(torch.ones_like(angle), angle).to(torch.promote_types(like.dtype, torch.complex32))


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Turn each pair of neighbours in x (B, T, ..., d_head) by the angles of its position: rotation (T, d_head / 2)."""
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    middle = (1,) * (x.dim() - 3)
    return torch.view_as_real(pairs * rotation.view(len(rotation), *middle, -1)).flatten(-2)


class MiniGPT(nn.Module):
    """
    A Transformer that reads characters and says, after each, which is likely to be next.

    vocab_size V characters, residual stream of hidden_dim d. Raises ValueError for sizes that do not fit together.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_dim: int = 128,
        layers: int = 6,
        heads: int = 4,
        context: int = 128,
        dropout: float = 0.0,
    ):
        super().__init__()
        _require_sizes(hidden_dim, layers, heads, context)
        self.hidden_dim, self.heads, self.context, self.dropout = hidden_dim, heads, context, dropout
        self.embed = nn.Embedding(vocab_size, hidden_dim)
        self.blocks = nn.ModuleList(Block(hidden_dim, heads, context, dropout) for _ in range(layers))
        self.norm = nn.RMSNorm(hidden_dim)
        self.head = nn.Linear(hidden_dim, vocab_size, bias=False)

    @property
    def config(self) -> dict[str, Any]:
        """What a checkpoint says of the model's form."""
        return {
            "cell": "minigpt",
            "hidden_dim": self.hidden_dim,
            "layers": len(self.blocks),
            "heads": self.heads,
            "context": self.context,
        }

    def forward(
        self, ids: Tensor, state: KVCache | None = None, rng: torch.Generator | None = None
    ) -> tuple[Tensor, KVCache]:
        """
        Read ids (B, T) after `state` (nothing where None) -> logits (B, T, V) of the next characters, and last state.

        Drops out where `rng` is given.
        """
        return self.from_embedded(self.embed(ids), state, rng)

    fast_forward = forward  # parallel over time as it stands

    def from_embedded(
        self, x: Tensor, state: KVCache | None = None, rng: torch.Generator | None = None
    ) -> tuple[Tensor, KVCache]:
        """The same from the embedded characters x (B, T, d)."""
        streams, state = self.residual_streams(x, state, rng)
        return self.head(self.norm(streams[-1])), state

    def residual_streams(
        self, x: Tensor, state: KVCache | None = None, rng: torch.Generator | None = None
    ) -> tuple[list[Tensor], KVCache]:
        """The residual stream of the embedded characters x (B, T, d): at the start and after each block, (B, T, d)."""
        position = 0 if state is None else state.position
        rotation = rotation_at(position, x.shape[1], self.hidden_dim // self.heads, like=x)
        streams, caches = [dropout(x, self.dropout, rng)], []
        cached = [None] * len(self.blocks) if state is None else zip(state.keys, state.values, strict=True)
        for block, block_cached in zip(self.blocks, cached, strict=True):
            x, cache = block(streams[-1], rotation, block_cached, rng)
            streams.append(x)
            caches.append(cache)
        keys, values = zip(*caches, strict=True)
        return streams, KVCache(keys, values, position + x.shape[1])


def _require_sizes(hidden_dim: int, layers: int, heads: int, context: int) -> None:
    if layers < 1:
        raise ValueError(f"layers is {layers}: give 1 or more")
    if heads < 1 or hidden_dim % heads:
        raise ValueError(f"hidden_dim is {hidden_dim}, heads {heads}: give heads that divide hidden_dim")
    if hidden_dim < 1 or hidden_dim // heads % 2:
        raise ValueError(f"each of {heads} heads is {hidden_dim // heads} wide: rotary positions turn pairs, give even")
    if context < 2:
        raise ValueError(f"context is {context}: give 2 characters or more")


def initialise(model: MiniGPT, rng: torch.Generator) -> None:
    """
    Draw the weights anew: normal of std 0.02, the two projections of each block that add to the residual stream
    smaller by √(2 · layers). Radford et al. 2019.
    """
    for module in model.modules():
        if isinstance(module, nn.Embedding | nn.Linear):
            nn.init.normal_(module.weight, std=INITIAL_STD, generator=rng)
        elif isinstance(module, nn.RMSNorm):
            nn.init.ones_(module.weight)
    for name, weight in model.named_parameters():
        if name.endswith(("attention_out.weight", "mlp_out.weight")):
            nn.init.normal_(weight, std=INITIAL_STD / (2 * len(model.blocks)) ** 0.5, generator=rng)
