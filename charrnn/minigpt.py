"""
`MiniGPT`: the Transformer the lab compares with, embed → blocks → norm → head.

Pre-norm blocks (Xiong et al. 2020) of causal attention (Vaswani et al. 2017) and an MLP, RMSNorm (Zhang & Sennrich
2019), rotary positions (Su et al. 2021), no biases. Attention is a sliding window (Beltagy et al. 2020): a character
attends to itself and to the context - 1 before it, however long the text; through a stack of layers it hears of up to
layers × (context - 1) before it.
"""

import copy
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.dropout import dropout
from charrnn.sampling import Reading, Trace

ROTARY_BASE = 10_000.0
INITIAL_STD = 0.02
RMS_EPS = 1e-6


class KVCache(NamedTuple):
    """What a Transformer carries from one character to the next: all that the next one may attend to."""

    keys: tuple[Tensor, ...]  # layers × (B, heads, n, d_head), rotated; n <= context - 1
    values: tuple[Tensor, ...]  # layers × (B, heads, n, d_head)
    position: int  # of the next character: how many were read


class Memory(Protocol):
    """Where the blocks leave their keys and values, and find those of the characters before."""

    position: int  # of the first character of the forward pass that uses it

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keep these of a layer, (B, heads, T, d_head) -> they and those before them, (B, heads, n + T, d_head)."""
        ...


class RMSNorm(nn.Module):
    """x over its root mean square, times a weight for each entry: x (..., d) -> (..., d). Zhang & Sennrich 2019."""

    def __init__(self, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        rms = torch.linalg.vector_norm(x, dim=-1, keepdim=True) * len(self.weight) ** -0.5  # (..., 1)
        return x / (rms + RMS_EPS) * self.weight


class Block(nn.Module):
    """
    One layer: x + attention(norm(x)), then x + MLP(norm(x)).

    x (B, T, d) -> (B, T, d). Each of the two only adds to x, the residual stream.
    """

    def __init__(self, hidden_dim: int, heads: int, context: int, dropout: float = 0.0):
        super().__init__()
        self.heads, self.context, self.dropout = heads, context, dropout
        self.attention_norm = RMSNorm(hidden_dim)
        self.qkv = nn.Linear(hidden_dim, 3 * hidden_dim, bias=False)
        self.attention_out = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.mlp_norm = RMSNorm(hidden_dim)
        self.mlp_in = nn.Linear(hidden_dim, 4 * hidden_dim, bias=False)
        self.mlp_out = nn.Linear(4 * hidden_dim, hidden_dim, bias=False)

    def forward(
        self,
        x: Tensor,
        rotation: Tensor,
        extend: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
        rng: torch.Generator | None,
    ) -> Tensor:
        """x (B, T, d), rotation (T, d_head / 2) of its positions; `extend` puts the keys and values before in front."""
        B, T, d = x.shape
        qk, v = self.qkv(self.attention_norm(x)).view(B, T, 3, self.heads, d // self.heads).split((2, 1), dim=2)
        q, k = rotate(qk, rotation).permute(2, 0, 3, 1, 4)  # (B, heads, T, d_head) each
        k, v = extend(k, v.squeeze(2).transpose(1, 2))  # (B, heads, n + T, d_head)
        attended = window_attention(q, k, v, self.context).transpose(1, 2).reshape(B, T, d)
        x = x + dropout(self.attention_out(attended), self.dropout, rng)
        return x + dropout(self.mlp_out(F.gelu(self.mlp_in(self.mlp_norm(x)))), self.dropout, rng)


def window_attention(q: Tensor, k: Tensor, v: Tensor, context: int) -> Tensor:
    """
    softmax(q kᵀ / √d_head) v, each query over the key of its own position and the context - 1 keys before it.

    q (B, heads, T, d_head) are the last T of the positions of k, v (B, heads, n + T, d_head) -> (B, heads, T, d_head).
    """
    before = k.shape[2] - q.shape[2]
    pieces = []
    for first in range(0, q.shape[2], context):  # pieces of one context: the work grows with T, not with T²
        piece = q[:, :, first : first + context]
        own = before + first  # the piece's first key of its own
        start, end = max(0, own - context + 1), own + piece.shape[2]
        mask = window_mask(piece.shape[2], end - start, context).to(q.device) if own and piece.shape[2] > 1 else None
        pieces.append(
            F.scaled_dot_product_attention(
                piece, k[:, :, start:end], v[:, :, start:end], attn_mask=mask, is_causal=own == 0
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
        self.norm = RMSNorm(hidden_dim)
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
        memory = _Appending(state, self.context)
        streams = self.residual_streams(x, memory, rng)
        return self.head(self.norm(streams[-1])), memory.after(x.shape[1])

    def residual_streams(self, x: Tensor, memory: Memory, rng: torch.Generator | None = None) -> list[Tensor]:
        """The residual stream of the embedded characters x (B, T, d): at the start and after each block, (B, T, d)."""
        rotation = rotation_at(memory.position, x.shape[1], self.hidden_dim // self.heads, like=x)
        streams = [dropout(x, self.dropout, rng)]
        for layer, block in enumerate(self.blocks):
            streams.append(block(streams[-1], rotation, partial(memory.extend, layer), rng))
        return streams

    def decoder(self) -> "Decoder":
        """The model, ready to write one character after the other; a copy of its weights as they are now."""
        return Decoder(self)


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
        elif isinstance(module, RMSNorm):
            nn.init.ones_(module.weight)
    for name, weight in model.named_parameters():
        if name.endswith(("attention_out.weight", "mlp_out.weight")):
            nn.init.normal_(weight, std=INITIAL_STD / (2 * len(model.blocks)) ** 0.5, generator=rng)


class _Appending:
    """A memory that makes new tensors and leaves those of the state it began with alone."""

    def __init__(self, state: KVCache | None, context: int):
        self.position = 0 if state is None else state.position
        self._state, self._kept = state, context - 1
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if self._state is not None:
            k = torch.cat([self._state.keys[layer], k], dim=2)
            v = torch.cat([self._state.values[layer], v], dim=2)
        start = max(0, k.shape[2] - self._kept)
        self._keys.append(k[:, :, start:])
        self._values.append(v[:, :, start:])
        return k, v

    def after(self, length: int) -> KVCache:
        """The state `length` characters on."""
        return KVCache(tuple(self._keys), tuple(self._values), self.position + length)


class Tape:
    """
    Keys and values of one text, appended in place: a state is the tape and how far it goes, so that a thousand states
    of one text share one copy. Two texts that part ways need two tapes: `claim` says who may write on.
    """

    def __init__(self, cache: KVCache, context: int):
        self._lock = threading.Lock()
        self.filled = cache.keys[0].shape[2]
        self.keys = [_longer(keys, 2 * context) for keys in cache.keys]  # layers × (1, heads, 2 · context, d_head)
        self.values = [_longer(values, 2 * context) for values in cache.values]

    def claim(self, end: int) -> bool:
        """Whether the caller, whose text goes as far as `end`, may write the next position; each is claimed once."""
        with self._lock:
            free = end == self.filled < self.keys[0].shape[2]
            self.filled += free
            return free


def _longer(x: Tensor, length: int) -> Tensor:
    B, heads, n, d_head = x.shape
    longer = x.new_empty(B, heads, length, d_head)
    longer[:, :, :n] = x
    return longer


class Place(NamedTuple):
    """A decoder's state: where a text ends, and what was read there."""

    tape: Tape
    end: int  # of the text's keys and values on the tape
    position: int  # of the next character
    logits: np.ndarray  # (V,)
    activations: dict[str, np.ndarray]  # (d,) each


class _Recording:
    """The memory of one step: one position of a tape, claimed."""

    def __init__(self, tape: Tape, end: int, position: int):
        self.position = position
        self._tape, self._end = tape, end

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        keys, values, end = self._tape.keys[layer], self._tape.values[layer], self._end
        keys.narrow(2, end, 1).copy_(k)
        values.narrow(2, end, 1).copy_(v)
        return keys.narrow(2, 0, end + 1), values.narrow(2, 0, end + 1)


class Decoder:
    """
    A model that writes one character at a time: no batch, no gradient, numpy arrays out. Implements `sampling.Reader`;
    the forward pass is the model's own.

    Before the first character there is nothing to attend to: all characters are equally likely, all activations zero.
    """

    @torch.inference_mode()
    def __init__(self, model: MiniGPT):
        self._model = copy.deepcopy(model).cpu().requires_grad_(False)
        self._names = ["embedding", *(f"layer {1 + layer}" for layer in range(len(model.blocks)))]
        heads, d_head = model.heads, model.hidden_dim // model.heads
        nothing = (self._model.head.weight.new_zeros(1, heads, 0, d_head),) * len(model.blocks)
        silent = {name: np.zeros(model.hidden_dim, np.float32) for name in reversed(self._names)}
        tape = Tape(KVCache(nothing, nothing, 0), model.context)
        self._beginning = Place(tape, 0, 0, np.zeros(model.head.out_features, np.float32), silent)

    @torch.inference_mode()
    def prefill(self, ids: Sequence[int], state: Place | None = None) -> Reading:
        """Read ids from `state`, the beginning where None."""
        state = self._beginning if state is None else state
        if not len(ids):
            return Reading(state.logits, state, state.activations)
        return self._reading(*self._at_once(ids, state))

    @torch.inference_mode()
    def read(self, ids: Sequence[int], state: Place | None = None) -> Trace:
        """Read ids, one at least, and keep what each left to see: what `step` says, all at once, but for rounding."""
        streams, tape, end, position = self._at_once(ids, self._beginning if state is None else state)
        logits = self._model.head(self._model.norm(streams[-1]))[0].numpy()
        activations = {name: stream[0].numpy() for name, stream in zip(self._names, streams, strict=True)}
        reading = self._reading(streams, tape, end, position)
        return Trace(logits, dict(reversed(activations.items())), reading)

    @torch.inference_mode()
    def step(self, id: int, state: Place) -> Reading:
        """Read one character."""
        tape, end = state.tape, state.end
        if not tape.claim(end):  # full, or another text went on from here
            tape = Tape(self._cache(state), self._model.context)
            end = tape.filled
            tape.claim(end)
        memory = _Recording(tape, end, state.position)
        streams = self._model.residual_streams(self._model.embed.weight[None, None, id], memory)
        return self._reading(streams, tape, end + 1, state.position + 1)

    def _at_once(self, ids: Sequence[int], state: Place) -> tuple[list[Tensor], Tape, int, int]:
        """The residual streams (1, T, d) of ids, and the tape, its end and the position after them."""
        memory = _Appending(self._cache(state), self._model.context)
        streams = self._model.residual_streams(self._model.embed(torch.tensor([ids])), memory)
        cache = memory.after(len(ids))
        tape = Tape(cache, self._model.context)
        return streams, tape, tape.filled, cache.position

    def _cache(self, state: Place) -> KVCache:
        kept = slice(max(0, state.end - self._model.context + 1), state.end)
        keys, values = ([layer[:, :, kept] for layer in both] for both in (state.tape.keys, state.tape.values))
        return KVCache(tuple(keys), tuple(values), state.position)

    def _reading(self, streams: list[Tensor], tape: Tape, end: int, position: int) -> Reading:
        last = [stream[0, -1] for stream in streams]  # layers + 1 × (d,)
        logits = self._model.head(self._model.norm(last[-1])).numpy()
        activations = {name: row.numpy().copy() for name, row in zip(self._names, last, strict=True)}
        activations = dict(reversed(activations.items()))
        return Reading(logits, Place(tape, end, position, logits, activations), activations)
