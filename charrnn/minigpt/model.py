"""`MiniGPT`: the Transformer for comparison, embed → blocks → norm → head."""

import copy
import sys
from typing import Any

import torch
from torch import Tensor, nn

from charrnn import edited_equations, export
from charrnn.dropout import dropout
from charrnn.edited_equations import require_same
from charrnn.matrix_products import Linear
from charrnn.minigpt import equations
from charrnn.minigpt.decoder import BatchReadingDecoder
from charrnn.minigpt.equations import KVCache, residual_streams, rms_norm, rotation_at, stream_name
from charrnn.pretrained_methods import PretrainedMethods
from charrnn.sampling import sample_rows

DEFINING_MODULES = (sys.modules[__name__], equations)
KNOWN_LOGITS = (0.13996005646, -0.29993163355, 0.43450468817, -0.53228343419, 0.58498786578)
SMALL_CONTEXT = 16  # characters, of the network in `small_config`
INITIAL_STD = 0.02


class RMSNorm(nn.Module):
    """RMS norm with a learned weight (d,)."""

    def __init__(self, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x (..., d) over its last dimension."""
        return rms_norm(x, self.weight)


class Block(nn.Module):
    """The weights of one layer, used by `transformer_block`."""

    def __init__(self, hidden_dim: int, heads: int, context: int, dropout: float = 0.0):
        super().__init__()
        self.heads, self.context, self.dropout = heads, context, dropout
        self.attention_norm = RMSNorm(hidden_dim)
        self.qkv = Linear(hidden_dim, 3 * hidden_dim, bias=False)
        self.attention_out = Linear(hidden_dim, hidden_dim, bias=False)
        self.mlp_norm = RMSNorm(hidden_dim)
        self.mlp_in = Linear(hidden_dim, 4 * hidden_dim, bias=False)
        self.mlp_out = Linear(4 * hidden_dim, hidden_dim, bias=False)


class MiniGPT(PretrainedMethods, nn.Module):
    """
    A Transformer that predicts each next character.

    vocab_size V characters, a residual stream of hidden_dim d. Attention is a sliding window (Beltagy et al. 2020): a
    character attends to itself and to the context - 1 before it, however long the text; through all layers it depends
    on up to layers × (context - 1) earlier characters. Raises ValueError for sizes that do not fit together.
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
        self.head = Linear(hidden_dim, vocab_size, bias=False)

    @property
    def config(self) -> dict[str, Any]:
        """The architecture, as stored in a checkpoint."""
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
        Read ids (B, T) after `state` (None: empty) -> logits (B, T, V), last state.

        Applies dropout if `rng` is given.
        """
        return self.from_embedded(self.embed(ids), state, rng)

    def fast_forward(
        self, ids: Tensor, state: KVCache | None = None, rng: torch.Generator | None = None
    ) -> tuple[Tensor, KVCache]:
        """Same as `forward`, which is already parallel over time."""
        return self.forward(ids, state, rng)

    def from_embedded(
        self, x: Tensor, state: KVCache | None = None, rng: torch.Generator | None = None
    ) -> tuple[Tensor, KVCache]:
        """Compute `forward` from embedded characters x (B, T, d)."""
        streams, state = self.streams_from_embedded(x, state, rng)
        return self.head(self.norm(streams[-1])), state

    def streams_from_embedded(
        self,
        x: Tensor,
        state: KVCache | None = None,
        rng: torch.Generator | None = None,
    ) -> tuple[list[Tensor], KVCache]:
        """Return all residual streams, layers + 1 × (B, T, d), and the last state."""
        start, length = 0 if state is None else state.position, x.shape[1]
        positions = start + torch.arange(length, dtype=torch.float64, device=x.device)
        pairs = torch.arange(self.hidden_dim // self.heads // 2, dtype=torch.float64, device=x.device)
        rotation = rotation_at(positions, pairs).to(torch.promote_types(x.dtype, torch.complex32))
        cached: list[tuple[Tensor, Tensor]] = []

        def extend(layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
            if state is not None:
                k, v = torch.cat([state.keys[layer], k], dim=2), torch.cat([state.values[layer], v], dim=2)
            first = max(0, k.shape[2] - self.context + 1)
            cached.append((k[:, :, first:], v[:, :, first:]))
            return k, v

        streams = residual_streams(self.blocks, dropout(x, self.dropout, rng), rotation, extend, rng)
        keys, values = zip(*cached, strict=True)
        return streams, KVCache(keys, values, start + length)

    def small_config(self, max_units: int) -> dict[str, Any]:
        """Return the config of an equivalent network, narrower and with a short context."""
        width = min(self.hidden_dim // self.heads, max(2, max_units // self.heads // 2 * 2))
        sizes = {"layers": len(self.blocks), "heads": self.heads, "context": min(self.context, SMALL_CONTEXT)}
        return sizes | {"hidden_dim": self.heads * width}

    def initial_output(self) -> tuple[Tensor, Any, dict[str, Tensor]]:
        """Return logits (1, 1, V), state and activations before any character: zeros."""
        names = [stream_name(layer) for layer in range(len(self.blocks), -1, -1)]
        zeros = self.embed.weight.new_zeros
        empty = (zeros(1, self.heads, 0, self.hidden_dim // self.heads),) * len(self.blocks)
        logits = zeros(1, 1, self.embed.num_embeddings)
        return logits, KVCache(empty, empty, 0), {name: zeros(1, self.hidden_dim) for name in names}

    def forward_with_activations(self, ids: Tensor, state: Any) -> tuple[Tensor, Any, dict[str, Tensor]]:
        """Run `forward`; also return each residual stream (B, T, d), last first."""
        network, activations = copy.copy(self), {}

        def streams_from_embedded(x: Tensor, state: KVCache | None, rng: torch.Generator | None) -> Any:
            streams, last = type(self).streams_from_embedded(self, x, state, rng)
            activations.update((stream_name(layer), streams[layer]) for layer in reversed(range(len(streams))))
            return streams, last

        network.__dict__["streams_from_embedded"] = streams_from_embedded  # only the copy's own `forward` uses it
        return *network.forward(ids, state), activations

    def edited(self) -> str:
        """Describe how `forward` differs from the equations used in training; "" if not."""
        return edited_equations.difference(self, require_known_logits, DEFINING_MODULES)

    def notices(self) -> list[str]:
        """Return warnings about edited equations and slow paths."""
        edited = self.edited()
        training = f"The equations of MiniGPT differ from those that the bundled one was trained with ({edited})."
        return [*([training] if edited else []), *export.slow_generation_notices(self)]

    def decoder(self) -> "BatchReadingDecoder | export.ModuleDecoder":
        """Return a float64 decoder on a copy of the current weights."""
        return BatchReadingDecoder.of(self)

    sample = sample_rows


@torch.no_grad()
def require_known_logits(network: MiniGPT) -> None:
    """Raise DifferentError unless a fixed small network gives its known logits."""
    small = type(network)(len(KNOWN_LOGITS), hidden_dim=8, layers=2, heads=2, context=4).double()
    for parameter in small.parameters():
        numbers = torch.arange(1, parameter.numel() + 1, dtype=torch.float64)
        parameter.copy_((2 * numbers).sin().view_as(parameter))
    logits = small(torch.arange(len(KNOWN_LOGITS))[None].repeat(1, 2))[0][0, -1]
    require_same("a logit", logits, torch.tensor(KNOWN_LOGITS, dtype=torch.float64))


def _require_sizes(hidden_dim: int, layers: int, heads: int, context: int) -> None:
    if layers < 1:
        raise ValueError(f"layers is {layers}: give 1 or more")
    if heads < 1 or hidden_dim % heads:
        raise ValueError(
            f"hidden_dim is {hidden_dim}, heads {heads}: give heads that divide hidden_dim, or a hidden_dim that is a "
            f"multiple of {2 * heads}"
        )
    if hidden_dim < 1 or hidden_dim // heads % 2:
        raise ValueError(
            f"each of {heads} heads is {hidden_dim // heads} wide, but rotary positions need an even width: give a "
            f"hidden_dim that is a multiple of {2 * heads}"
        )
    if context < 2:
        raise ValueError(f"context is {context}: give 2 characters or more")


def initialise(model: MiniGPT, rng: torch.Generator) -> None:
    """
    Draw the weights: normal with std 0.02.

    The two projections of each block that add to the residual stream have std 0.02 / √(2 · layers). Radford et al.
    2019.
    """
    for module in model.modules():
        if isinstance(module, nn.Embedding | nn.Linear):
            nn.init.normal_(module.weight, std=INITIAL_STD, generator=rng)
        elif isinstance(module, RMSNorm):
            nn.init.ones_(module.weight)
    for name, weight in model.named_parameters():
        if name.endswith(("attention_out.weight", "mlp_out.weight")):
            nn.init.normal_(weight, std=INITIAL_STD / (2 * len(model.blocks)) ** 0.5, generator=rng)
