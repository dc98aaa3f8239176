"""
Sampling: logits / temperature → top-k → top-p → min-p → one draw.

Characters are sorted by descending probability, ties by id, and every filter keeps a prefix of that order. The
pipeline is therefore one sort, one softmax, one cumulative sum and a length. The draw inverts the CDF in float64 with
exactly one uniform per character, whatever the filters and at temperature 0 too, so runs with equal seeds share their
uniforms (common random numbers).

`generate` works with any `Decoder`; nothing here depends on the architecture.
"""

import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from charrnn.clamps import Clamp
from charrnn.ranges import Range
from charrnn.seeds import SEEDS, STREAMS, seeded

MAX_VOCABULARY = 0x110000  # the number of Unicode code points, hence the largest vocabulary
LIMITS = {
    "temperature": Range(1e-6, 100, zero="greedy"),
    "top_k": Range(0, MAX_VOCABULARY, whole=True, zero="off"),
    "top_p": Range(0, 1, above=True),
    "min_p": Range(0, 1, zero="off"),
}


@dataclass(frozen=True)
class SamplingSettings:
    """
    Sampling parameters; the defaults leave the model's distribution unchanged.

    temperature 1e-6..100 or 0 (greedy), top_k >= 0 (0: off), 0 < top_p <= 1 (1: off), 0 <= min_p <= 1 (0: off); see
    LIMITS. Raises ValueError for a value out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, limits.require(name, getattr(self, name)))


# ------------------------------------------------------------------------------------------------ filters
# Each returns how many of the sorted characters it keeps. Probabilities (descending) and their cumulative sum need
# not be normalized, so the filters can be chained.


def top_k_length(probs: np.ndarray, top_k: int) -> int:
    """Return min(k, V), or V if k is 0. Fan et al. 2018."""
    return min(top_k, len(probs)) if top_k else len(probs)


def top_p_length(cumulative: np.ndarray, top_p: float) -> int:
    """Return the size of the smallest prefix whose share is >= top_p. Holtzman 2020."""
    return int(cumulative.searchsorted(top_p * cumulative[-1])) + 1 if top_p < 1 else len(cumulative)


def min_p_length(probs: np.ndarray, min_p: float) -> int:
    """Count characters with p >= min_p · p_max. Nguyen et al. 2024."""
    return int(np.count_nonzero(probs >= min_p * probs[0])) if min_p else len(probs)


def keep_top_k(logits: Tensor, top_k: int) -> Tensor:
    """
    Mask all but the k largest logits; ties keep the lower id.

    logits (..., V) -> (..., V), -inf where masked; 0 masks none. Raises ValueError for a negative k. Fan et al. 2018.
    """
    return _keep(logits, SamplingSettings(top_k=top_k))


def keep_top_p(logits: Tensor, top_p: float) -> Tensor:
    """
    Mask all but the nucleus, the smallest set with total probability >= top_p.

    logits (..., V) -> (..., V), -inf outside the nucleus; the most likely character always stays. Raises ValueError
    unless 0 < top_p <= 1. Holtzman et al. 2020.
    """
    return _keep(logits, SamplingSettings(top_p=top_p))


def keep_min_p(logits: Tensor, min_p: float) -> Tensor:
    """
    Mask characters with less than min_p times the largest probability.

    logits (..., V) -> (..., V), -inf where masked; 0 masks none. Raises ValueError unless 0 <= min_p <= 1. Nguyen et
    al. 2024.
    """
    return _keep(logits, SamplingSettings(min_p=min_p))


def _keep(logits: Tensor, settings: SamplingSettings) -> Tensor:
    mask = torch.full_like(logits, -math.inf, requires_grad=False, memory_format=torch.contiguous_format)
    size = logits.shape[-1]
    for row, mask_row in zip(logits.detach().double().reshape(-1, size), mask.view(-1, size), strict=True):
        unmasked = torch.nonzero(row != -math.inf).squeeze(1)  # by an earlier filter
        filtered = distribution(row[unmasked], settings)
        mask_row[unmasked[torch.from_numpy(filtered.order[: filtered.kept])]] = 0
    return mask + logits


# ------------------------------------------------------------------------------------------------ the draw


class Distribution(NamedTuple):
    """
    The next character's distribution before and after the filters, sorted.

    The order is descending probability, ties by id.
    """

    order: np.ndarray  # (V,) ids
    logits: np.ndarray  # (V,) float64, in that order
    kept: int  # number of characters that pass the filters: a prefix of the order
    cumulative: np.ndarray  # (kept,) cumulative sum over the prefix, not normalized

    @property
    def raw(self) -> np.ndarray:
        """Softmax of the unfiltered logits, in sorted order: (V,)."""
        raw = np.exp(self.logits - self.logits[0])
        return raw / raw.sum()

    @property
    def probs(self) -> np.ndarray:
        """Probabilities after temperature and filters, in sorted order: (V,); 0 where cut."""
        probs = np.zeros(len(self.order))
        probs[: self.kept] = np.diff(self.cumulative, prepend=0.0) / self.cumulative[-1]
        return probs

    def draw(self, u: float) -> int:
        """Return the id at which the cumulative probability first exceeds u, 0 <= u < 1."""
        rank = self.cumulative.searchsorted(u * self.cumulative[-1], side="right")
        return int(self.order[min(rank, self.kept - 1)])  # u * sum can round up to the sum itself


def distribution(logits: np.ndarray | Tensor, settings: SamplingSettings) -> Distribution:
    """
    Apply temperature and filters to the logits (V,) of one position.

    Raises ValueError if a logit is not finite.
    """
    exact = np.asarray(logits, dtype=np.float64)
    order = (-exact).argsort(kind="stable")
    exact = exact[order]
    if not -math.inf < exact[-1] <= exact[0] < math.inf:  # NaN sorts last
        raise ValueError("the logits are not finite: the checkpoint is broken, or its weights overflow")
    if settings.temperature == 0:
        return Distribution(order, exact, 1, np.ones(1))
    probs = np.exp((exact - exact[0]) / settings.temperature)
    cumulative = probs[: top_k_length(probs, settings.top_k)].cumsum()
    kept = min(top_p_length(cumulative, settings.top_p), min_p_length(probs, settings.min_p))
    return Distribution(order, exact, kept, cumulative[:kept])


class UniformStream:
    """
    The uniform random numbers of one seed, by index: stream[i] in [0, 1).

    stream[i] draws the i-th generated character. Random access lets a generation pause, step or branch and keep its
    numbers. Raises ValueError for a seed outside SEEDS.
    """

    BLOCK = 512

    def __init__(self, seed: int):
        self._rng = seeded(seed)
        self.seed = int(seed)
        self._uniforms: list[float] = []

    def __getitem__(self, index: int) -> float:
        if index < 0:
            raise IndexError(f"the index is {index}: give 0 or more")
        while index >= len(self._uniforms):
            self._uniforms += torch.rand(self.BLOCK, dtype=torch.float64, generator=self._rng).tolist()
        return self._uniforms[index]


Dice = UniformStream  # former name, for one release


# ------------------------------------------------------------------------------------------------ decoding


class DecoderOutput(NamedTuple):
    """A model's output after reading some text."""

    logits: np.ndarray  # (V,) for the next character
    state: Any  # recurrent state or KV buffer, without a batch dimension
    activations: Mapping[str, np.ndarray] = MappingProxyType({})  # at the last character, by name: (rows,)


class Trace(NamedTuple):
    """A model's logits and activations at each of T characters it read."""

    logits: np.ndarray  # (T, V) for the next character
    activations: Mapping[str, np.ndarray]  # by name: (T, rows)
    end: DecoderOutput

    @classmethod
    def of(cls, outputs: Sequence[DecoderOutput]) -> "Trace":
        """Stack consecutive outputs (at least one)."""
        logits = np.stack([output.logits for output in outputs])
        names = outputs[-1].activations
        activations = {name: np.stack([output.activations[name] for output in outputs]) for name in names}
        return cls(logits, activations, outputs[-1])


class Step(NamedTuple):
    """A generated character."""

    index: int  # from 0
    id: int
    u: float  # the uniform that drew it
    logits: np.ndarray  # (V,) it was drawn from
    distribution: Distribution
    output: DecoderOutput  # after this character


class Decoder(Protocol):
    """A model that reads a text one character at a time."""

    def prefill(self, ids: Sequence[int], state: Any = None) -> DecoderOutput:
        """Read ids, possibly none, from `state` (None: the start of the text)."""
        ...

    def step(self, id: int, state: Any) -> DecoderOutput:
        """Read one character from the state of an earlier output."""
        ...


class ClampableDecoder(Decoder, Protocol):
    """A decoder with units that can be clamped."""

    def clamped(self, clamps: Sequence[Clamp]) -> Decoder:
        """Return a decoder with these clamps. Raises ValueError for an invalid one."""
        ...


def read_stepwise(decoder: Decoder, ids: Sequence[int], state: Any = None) -> Trace:
    """Read ids (at least one) one by one from `state` (None: the start of the text)."""
    outputs = [decoder.prefill([], state)]
    for id in ids:
        outputs.append(decoder.step(id, outputs[-1].state))
    return Trace.of(outputs[1:])


def sample_step(
    decoder: Decoder,
    output: DecoderOutput,
    settings: SamplingSettings,
    uniforms: UniformStream,
    index: int,
    chosen: int | None = None,
) -> Step:
    """
    Sample the character with this index, or take `chosen`, and read it.

    Raises ValueError if a logit is not finite.
    """
    probs = distribution(output.logits, settings)
    u = uniforms[index]
    id = probs.draw(u) if chosen is None else chosen
    return Step(index, id, u, output.logits, probs, decoder.step(id, output.state))


def generate(
    decoder: Decoder,
    output: DecoderOutput,
    n: int,
    settings: SamplingSettings,
    uniforms: UniformStream,
    start: int = 0,
    chosen: Mapping[int, int] = MappingProxyType({}),
    clamps: Sequence[Clamp] = (),
) -> Iterator[Step]:
    """
    Generate n characters after `output`, lazily; `start` is the first index.

    chosen: ids forced at some indices; the other indices keep their uniforms. clamps: applied from the first
    generated character on, when it is read; that character itself is still drawn from `output`.

    Raises ValueError for logits that are not finite and for a clamp that does not fit.
    """
    if clamps:
        decoder = cast(ClampableDecoder, decoder).clamped(clamps)
    for index in range(start, start + n):
        step = sample_step(decoder, output, settings, uniforms, index, chosen.get(index))
        output = step.output
        yield step


def sample(decoder: Decoder, ctx: Tensor, n: int, settings: SamplingSettings, seed: int | None) -> Tensor:
    """
    Continue each row of ctx (B, T) by n characters -> ids (B, T + n).

    Row b uses the uniforms of seed + b; seed None draws a random first seed. Raises ValueError for logits that are
    not finite, and if seed + b would leave SEEDS for a row.
    """
    max_seed = STREAMS - max(1, len(ctx))  # leaves one seed for each row
    first: int = (
        secrets.randbelow(max_seed + 1) if seed is None else replace(SEEDS, high=max_seed).require("seed", seed)
    )
    rows = [
        [step.id for step in generate(decoder, decoder.prefill(row), n, settings, UniformStream(first + b))]
        for b, row in enumerate(ctx.tolist())
    ]
    return torch.cat([ctx, torch.tensor(rows, dtype=ctx.dtype, device=ctx.device).view(len(ctx), n)], dim=1)


def sample_rows(
    model: Any,
    ctx: Tensor,
    n: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    seed: int | None = None,
) -> Tensor:
    """
    Continue each row of ctx (B, T) by n characters -> ids (B, T + n).

    This is `sample` as a method of every model. Raises ValueError like `sample`, and for settings out of range.
    """
    return sample(model.decoder(), ctx, n, SamplingSettings(temperature, top_k, top_p, min_p), seed)
