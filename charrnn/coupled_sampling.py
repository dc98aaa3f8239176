"""
Coupled sampling: two generators driven by the same uniforms.

With common random numbers, differences between the texts come from the generators rather than from chance. A
generator is a model with its sampling settings: two models, two checkpoints of one training, or two temperatures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from charrnn.sampling import Decoder, DecoderOutput, Distribution, SamplingSettings, Step, UniformStream, generate
from charrnn.vocab import Vocab


@dataclass(frozen=True, eq=False)
class Generator:
    """A model with its sampling settings, at the end of a prompt."""

    decoder: Decoder
    vocab: Vocab
    output: DecoderOutput
    settings: SamplingSettings

    @classmethod
    def after(cls, prompt: str, decoder: Decoder, vocab: Vocab, settings: SamplingSettings) -> "Generator":
        """Read a prompt. Raises UnknownCharacterError."""
        return cls(decoder, vocab, decoder.prefill(vocab.encode(prompt)), settings)

    def character(self, step: Step) -> str:
        """Return the character of a step."""
        return self.vocab.characters[step.id]


class CdfInterval(NamedTuple):
    """The CDF interval [low, high) of the sampled character."""

    character: str
    rank: int  # of that character in sampling order, from 0
    low: float
    high: float


class DrawPair(NamedTuple):
    """The steps of both generators drawn with one uniform."""

    a: Step
    b: Step


def sample_coupled(a: Generator, b: Generator, n: int, uniforms: UniformStream) -> Iterator[DrawPair]:
    """
    Generate n characters with each generator, lazily; both use uniforms[i] at i.

    Each generator reads its own text. Raises ValueError if a logit is not finite.
    """
    streams = [generate(generator.decoder, generator.output, n, generator.settings, uniforms) for generator in (a, b)]
    yield from map(DrawPair, *streams)


def diverged(a: Generator, b: Generator, pair: DrawPair) -> bool:
    """
    Return whether the two generators sampled different characters.

    The vocabularies may differ; characters are compared, not ids.
    """
    return a.character(pair.a) != b.character(pair.b)


def cdf_interval(generator: Generator, step: Step) -> CdfInterval:
    """Return the CDF interval in which the uniform of a step fell."""
    distribution = step.distribution
    rank = rank_of(distribution, step.id)
    low, high = (bin_edge(distribution, length) for length in (rank, rank + 1))
    return CdfInterval(generator.character(step), rank, low, high)


def rank_of(distribution: Distribution, id: int) -> int:
    """Return the rank of an id in sampling order, from 0."""
    return distribution.order.tolist().index(id)


def bin_edge(distribution: Distribution, length: int) -> float:
    """Return the CDF after the first `length` characters; filtered ones have width 0."""
    if not length:
        return 0.0
    return float(distribution.cumulative[min(length, distribution.kept) - 1] / distribution.cumulative[-1])


def common_length(a: str, b: str) -> int:
    """Return the length of the common prefix of two texts."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def visible_ranks(distribution: Distribution, required: Sequence[int], rows: int) -> list[int]:
    """Return the `rows` most likely ranks; those of the `required` ids are included."""
    required_ranks = {rank_of(distribution, id) for id in required}
    others = [rank for rank in range(len(distribution.order)) if rank not in required_ranks]
    return sorted(required_ranks.union(others[: max(0, rows - len(required_ranks))]))
