"""
How a character is written: logits / temperature → top-k → top-p → min-p → the draw.

Sorted by descending probability, ties by id, every filter keeps a prefix; so the pipeline is one sort, one softmax,
one cumulative sum and a length. The draw is the inverse CDF over that order, in float64, with one uniform for each
written character whatever the filters, at temperature 0 too: two runs with one seed share their dice.

Nothing here knows which network made the logits: `generate` drives anything that can read a character.
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

from charrnn.interventions import Clamp, Held
from charrnn.ranges import Range
from charrnn.seeds import SEEDS, STREAMS, seeded

MOST_CHARACTERS = 0x110000  # there are in Unicode, and so in a vocabulary
LIMITS = {
    "temperature": Range(1e-6, 100, zero="greedy"),
    "top_k": Range(0, MOST_CHARACTERS, whole=True, zero="off"),
    "top_p": Range(0, 1, above=True),
    "min_p": Range(0, 1, zero="off"),
}


@dataclass(frozen=True)
class SamplingSettings:
    """
    How the next character is drawn; the defaults leave the model's own distribution as it is.

    temperature 1e-6..100 or 0 (always the likeliest character), top_k >= 0 (0: off), 0 < top_p <= 1 (1: off),
    0 <= min_p <= 1 (0: off), as LIMITS has them. Raises ValueError for anything else.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, limits.require(name, getattr(self, name)))


# ------------------------------------------------------------------------------------------------ filters
# Each says how many of the sorted characters stay. Probabilities (descending) and their running sum need not be
# normalised, so a filter sees what the one before left.


def top_k_length(probs: np.ndarray, top_k: int) -> int:
    """The k likeliest; all of them where k is 0 or exceeds V. Fan et al. 2018."""
    return min(top_k, len(probs)) if top_k else len(probs)


def top_p_length(cumulative: np.ndarray, top_p: float) -> int:
    """The nucleus: the fewest whose probability reaches top_p of the whole. Holtzman et al. 2020."""
    return int(cumulative.searchsorted(top_p * cumulative[-1])) + 1 if top_p < 1 else len(cumulative)


def min_p_length(probs: np.ndarray, min_p: float) -> int:
    """Those with at least min_p times the probability of the likeliest. Nguyen et al. 2024."""
    return int(np.count_nonzero(probs >= min_p * probs[0])) if min_p else len(probs)


def keep_top_k(logits: Tensor, top_k: int) -> Tensor:
    """
    Mask all but the k largest logits; under ties the lower id stays, so that exactly k do.

    logits (..., V) -> (..., V), -inf where masked; 0 masks none. Raises ValueError for a negative k. Fan et al. 2018.
    """
    return _keep(logits, SamplingSettings(top_k=top_k))


def keep_top_p(logits: Tensor, top_p: float) -> Tensor:
    """
    Mask all but the nucleus: the smallest set of characters whose probability reaches top_p.

    logits (..., V) -> (..., V), -inf outside the nucleus; the likeliest character always stays.
    Raises ValueError unless 0 < top_p <= 1. Holtzman et al. 2020.
    """
    return _keep(logits, SamplingSettings(top_p=top_p))


def keep_min_p(logits: Tensor, min_p: float) -> Tensor:
    """
    Mask the characters with less than min_p times the probability of the likeliest.

    logits (..., V) -> (..., V), -inf where masked; 0 masks none. Raises ValueError unless 0 <= min_p <= 1.
    Nguyen et al. 2024.
    """
    return _keep(logits, SamplingSettings(min_p=min_p))


def _keep(logits: Tensor, settings: SamplingSettings) -> Tensor:
    kept = torch.full_like(logits, -math.inf, requires_grad=False, memory_format=torch.contiguous_format)
    size = logits.shape[-1]
    for row, kept_row in zip(logits.detach().double().reshape(-1, size), kept.view(-1, size), strict=True):
        left = torch.nonzero(row != -math.inf).squeeze(1)  # by a filter before this one
        survivors = distribution(row[left], settings)
        kept_row[left[torch.from_numpy(survivors.order[: survivors.kept])]] = 0
    return kept + logits


# ------------------------------------------------------------------------------------------------ the draw


class Distribution(NamedTuple):
    """The next character's probabilities before and after the filters, by descending probability, ties by id."""

    order: np.ndarray  # (V,) ids
    logits: np.ndarray  # (V,) float64, in that order
    kept: int  # the first so many survive the filters
    cumulative: np.ndarray  # (kept,) running sum of what survives, not normalised

    @property
    def raw(self) -> np.ndarray:
        """(V,) the model's own probabilities, in that order: the softmax of the logits."""
        raw = np.exp(self.logits - self.logits[0])
        return raw / raw.sum()

    @property
    def probs(self) -> np.ndarray:
        """(V,) probabilities after temperature and filters, in that order; 0 for those cut."""
        probs = np.zeros(len(self.order))
        probs[: self.kept] = np.diff(self.cumulative, prepend=0.0) / self.cumulative[-1]
        return probs

    def draw(self, u: float) -> int:
        """The id at which the cumulative probability first exceeds u, 0 <= u < 1."""
        rank = self.cumulative.searchsorted(u * self.cumulative[-1], side="right")
        return int(self.order[min(rank, self.kept - 1)])  # u * sum can round up to the sum itself


def distribution(logits: np.ndarray | Tensor, settings: SamplingSettings) -> Distribution:
    """The whole pipeline for the logits (V,) of one position. Raises ValueError where they are not finite."""
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


class Dice:
    """
    The uniforms of one seed: dice[i], 0 <= dice[i] < 1, decides the i-th written character.

    Random access, so that a text that pauses, steps or branches keeps its dice. Raises ValueError for a seed that is
    not in SEEDS.
    """

    BLOCK = 512

    def __init__(self, seed: int):
        self._rng = seeded(seed)
        self.seed = int(seed)
        self._uniforms: list[float] = []

    def __getitem__(self, index: int) -> float:
        if index < 0:
            raise IndexError(f"dice are numbered from 0, not {index}")
        while index >= len(self._uniforms):
            self._uniforms += torch.rand(self.BLOCK, dtype=torch.float64, generator=self._rng).tolist()
        return self._uniforms[index]


# ------------------------------------------------------------------------------------------------ writing


class Reading(NamedTuple):
    """Where a model stands after reading some text."""

    logits: np.ndarray  # (V,) of the next character
    state: Any  # what the model carries, without a batch
    activations: Mapping[str, np.ndarray] = MappingProxyType({})  # of the last character, by name: (rows,)


class Trace(NamedTuple):
    """What a model left to see at each of T characters it read."""

    logits: np.ndarray  # (T, V) of the next character
    activations: Mapping[str, np.ndarray]  # by name: (T, rows)
    end: Reading

    @classmethod
    def of(cls, readings: Sequence[Reading]) -> "Trace":
        """The trace of one reading after the other, one at least."""
        logits = np.stack([reading.logits for reading in readings])
        names = readings[-1].activations
        activations = {name: np.stack([reading.activations[name] for reading in readings]) for name in names}
        return cls(logits, activations, readings[-1])


class Step(NamedTuple):
    """One written character."""

    index: int  # the number of the character, from 0
    id: int
    u: float  # the uniform that drew it
    logits: np.ndarray  # (V,) it was drawn from
    distribution: Distribution
    reading: Reading  # after this character


class Reader(Protocol):
    """A model that reads a text one character at a time."""

    def prefill(self, ids: Sequence[int], state: Any = None) -> Reading: ...

    def step(self, id: int, state: Any) -> Reading: ...


class ClampedReader(Reader, Protocol):
    """One in which something can be held: the networks' decoders."""

    def clamped(self, clamps: Sequence[Clamp]) -> Reader: ...


class Place(NamedTuple):
    """The state of a `TorchReader`: what the network carries, and what was read there."""

    carried: Any
    logits: np.ndarray  # (V,)
    activations: Mapping[str, np.ndarray]


class TorchReader:
    """
    A network that reads by its torch module, one character at a time, where its decoder computes something else.

    The network: one with `beginning`, `watched` and `require_effect`, on the CPU.
    """

    def __init__(self, network: Any, held: Held | None = None):
        self._network, self._held = network, held

    def holding(self, held: Held) -> "TorchReader":
        """The same, with this held while it reads."""
        return TorchReader(self._network, held)

    def clamped(self, clamps: Sequence[Clamp]) -> "TorchReader":
        """The same, as `interventions` says. Raises ValueError for a clamp that does not fit, or would not act."""
        seen = self.step(0, self.prefill([]).state).activations
        held = Held(clamps, {name: len(values) for name, values in seen.items()})
        self._network.require_effect(clamps, TorchReader)
        return self.holding(held)

    @torch.no_grad()
    def prefill(self, ids: Sequence[int], state: Place | None = None) -> Reading:
        """Read ids from `state`, the beginning where None."""
        if len(ids):
            return self.read(ids, state).end
        if state is None:
            return _reading(*self._network.beginning())
        return Reading(state.logits, state, state.activations)

    def read(self, ids: Sequence[int], state: Place | None = None) -> Trace:
        """Read ids, one at least, from `state` and keep what each left to see."""
        readings, at = [], self.prefill([], state).state
        for id in ids:
            readings.append(self.step(id, at))
            at = readings[-1].state
        return Trace.of(readings)

    @torch.no_grad()
    def step(self, id: int, state: Place) -> Reading:
        """Read one character."""
        return _reading(*self._network.watched(torch.tensor([[id]]), state.carried, self._held))


def _reading(logits: Tensor, carried: Any, seen: Mapping[str, Tensor]) -> Reading:
    """Of logits (1, 1, V) and what there is to see, (…, rows) each, of which the last row counts."""
    last = logits[0, -1].cpu().numpy()
    activations = {name: value.reshape(-1, value.shape[-1])[-1].cpu().numpy() for name, value in seen.items()}
    return Reading(last, Place(carried, last, activations), activations)


def write_step(
    reader: Reader, reading: Reading, settings: SamplingSettings, dice: Dice, index: int, chosen: int | None = None
) -> Step:
    """
    Draw the character with this index after `reading`, or take the one that was chosen, and read it.

    Raises ValueError as `distribution` does.
    """
    drawn_from = distribution(reading.logits, settings)
    u = dice[index]
    id = drawn_from.draw(u) if chosen is None else chosen
    return Step(index, id, u, reading.logits, drawn_from, reader.step(id, reading.state))


def generate(
    reader: Reader,
    reading: Reading,
    n: int,
    settings: SamplingSettings,
    dice: Dice,
    start: int = 0,
    chosen: Mapping[int, int] = MappingProxyType({}),
    clamps: Sequence[Clamp] = (),
) -> Iterator[Step]:
    """
    Write n characters after `reading`, as they come; `start` is the index of the first.

    chosen: the ids that stand at some indices whatever the dice say; the others keep their dice. clamps: what is held
    (`interventions`) from the first written character on, as that is read; it is still drawn from `reading`.

    Raises ValueError where the logits are not finite, and for a clamp that does not fit.
    """
    if clamps:
        reader = cast(ClampedReader, reader).clamped(clamps)
    for index in range(start, start + n):
        step = write_step(reader, reading, settings, dice, index, chosen.get(index))
        reading = step.reading
        yield step


def sample(reader: Reader, ctx: Tensor, n: int, settings: SamplingSettings, seed: int | None) -> Tensor:
    """
    Continue each row of ctx (B, T) by n characters -> ids (B, T + n).

    Row b consumes the dice of seed + b; without a seed, of one drawn at random. Raises ValueError for logits that are
    not finite, and for a seed of which a row would have none in SEEDS.
    """
    last = STREAMS - max(1, len(ctx))  # the largest seed that leaves one for each row
    first: int = secrets.randbelow(last + 1) if seed is None else replace(SEEDS, high=last).require("seed", seed)
    rows = [
        [step.id for step in generate(reader, reader.prefill(row), n, settings, Dice(first + b))]
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
    Continue each row of ctx (B, T) by n characters -> ids (B, T + n): `sample` as a method of every model.

    Raises ValueError as `sample` does, and for settings out of their range.
    """
    return sample(model.decoder(), ctx, n, SamplingSettings(temperature, top_k, top_p, min_p), seed)
