"""
Two writers, one set of dice: both consume the same uniforms, so that a text tells what the writers do, not their luck.

A writer is a model with the settings it draws with: two models, two moments of one training, or two temperatures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from charrnn.sampling import Dice, Distribution, Reader, Reading, SamplingSettings, Step, generate
from charrnn.vocab import Vocab


@dataclass(frozen=True, eq=False)
class Writer:
    """Who writes, where it stands before the first character, and how it draws."""

    reader: Reader
    vocab: Vocab
    beginning: Reading
    settings: SamplingSettings

    @classmethod
    def after(cls, prompt: str, reader: Reader, vocab: Vocab, settings: SamplingSettings) -> "Writer":
        """One that has read this prompt. Raises UnknownCharacterError."""
        return cls(reader, vocab, reader.prefill(vocab.encode(prompt)), settings)

    def character(self, step: Step) -> str:
        """What it wrote there."""
        return self.vocab.characters[step.id]


class Fall(NamedTuple):
    """Where a die fell on the cumulative bar of one writer: at low <= u < high lies what it wrote."""

    character: str
    rank: int  # of that character in the order of the draw, from 0
    low: float
    high: float


class Pair(NamedTuple):
    """What two writers made of one die."""

    a: Step
    b: Step


def write_both(a: Writer, b: Writer, n: int, dice: Dice) -> Iterator[Pair]:
    """
    Write n characters each, as they come: the i-th of either is drawn with dice[i].

    Each reads on from what it wrote itself. Raises ValueError where the logits are not finite.
    """
    pens = [generate(writer.reader, writer.beginning, n, writer.settings, dice) for writer in (a, b)]
    yield from map(Pair, *pens)


def parts(a: Writer, b: Writer, pair: Pair) -> bool:
    """Whether one die made them write different characters; their vocabularies need not be the same."""
    return a.character(pair.a) != b.character(pair.b)


def fall(writer: Writer, step: Step) -> Fall:
    """Where the die of a step fell, on the bar that the writer drew from."""
    drawn_from = step.distribution
    rank = rank_of(drawn_from, step.id)
    low, high = (edge(drawn_from, length) for length in (rank, rank + 1))
    return Fall(writer.character(step), rank, low, high)


def rank_of(drawn_from: Distribution, id: int) -> int:
    """The place of a character in the order of the draw, from 0."""
    return drawn_from.order.tolist().index(id)


def edge(drawn_from: Distribution, length: int) -> float:
    """Where on the cumulative bar, 0 to 1, the first so many characters end; those that were cut take no room."""
    if not length:
        return 0.0
    return float(drawn_from.cumulative[min(length, drawn_from.kept) - 1] / drawn_from.cumulative[-1])


def common_length(a: str, b: str) -> int:
    """How many characters two texts share from their beginning."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def shown_ranks(drawn_from: Distribution, must: Sequence[int], rows: int) -> list[int]:
    """The ranks of the likeliest characters, `rows` of them; the ids in `must` are among them, however unlikely."""
    needed = {rank_of(drawn_from, id) for id in must}
    others = [rank for rank in range(len(drawn_from.order)) if rank not in needed]
    return sorted(needed.union(others[: max(0, rows - len(needed))]))
