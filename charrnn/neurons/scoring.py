"""
Which unit stands for what: chosen on one half of a text, reported on the other, held against untrained networks.

An untrained network tells a newline from a letter as well: every character shakes its units in its own way. So a score
says nothing by itself. It has to beat what untrained units of the same kind reach on the same text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from charrnn.neurons.concepts import BANK, Concept
from charrnn.neurons.metrics import areas, lines, r_squared, ranked

FEWEST = 10  # characters that have a label, and that have it not, in each half
PERCENTILE = 99  # of the untrained units: a score beats it or is nothing
NAMELESS = 98  # of a hundred untrained units that many get no name at all
SHORTEST = 400  # characters


@dataclass(frozen=True)
class Targets:
    """What the concepts say of a text of N characters; labels come before values, here and in all scores."""

    text: str
    names: tuple[str, ...]  # C of them
    labels: np.ndarray  # (N, ·) bool
    values: np.ndarray  # (N, ·)
    rare: tuple[str, ...]  # concepts that the text has too little of, in one of its halves

    @classmethod
    def of(cls, text: str, concepts: Sequence[Concept] = BANK) -> "Targets":
        """Raises ValueError for a text that is too short to be halved."""
        if len(text) < SHORTEST:
            raise ValueError(f"the text has {len(text)} characters: units are scored on {SHORTEST} or more")
        found = [(concept.name, concept.of(text)) for concept in concepts]
        told = [(name, of) for name, of in found if _varies(of[: len(text) // 2]) and _varies(of[len(text) // 2 :])]
        labels, values = ([(name, of) for name, of in told if (of.dtype == bool) is kind] for kind in (True, False))
        return cls(
            text,
            tuple(name for name, _ in labels + values),
            np.array([of for _, of in labels], bool).reshape(-1, len(text)).T,
            np.array([of for _, of in values], float).reshape(-1, len(text)).T,
            tuple(name for name, _ in found if name not in dict(told)),
        )


def _varies(of: np.ndarray) -> bool:
    return FEWEST <= of.sum() <= len(of) - FEWEST if of.dtype == bool else np.ptp(of) > 0


@dataclass(frozen=True)
class Scores:
    """How well each of U units tells each of C concepts: AUC of labels, R² of values; all arrays (C, U)."""

    train: np.ndarray
    held_out: np.ndarray
    direction: np.ndarray  # 1: more of the unit is more of the concept; −1: less


def score(targets: Targets, activations: np.ndarray) -> Scores:
    """
    Every unit against every concept: activations (N, U) while the text was read.

    Which way round a unit goes, and the line from it to a value, are taken from the first half of the text.
    """
    half = len(targets.text) // 2
    (x, y), (x_other, y_other) = ((activations[part], targets.values[part]) for part in _halves(half))
    slope, intercept = lines(x, y)
    area, area_other = (areas(ranked(activations[part]), targets.labels[part]) for part in _halves(half))
    forward = area >= 0.5
    return Scores(
        np.concatenate([np.where(forward, area, 1 - area), r_squared(x, y, slope, intercept)]),
        np.concatenate([np.where(forward, area_other, 1 - area_other), r_squared(x_other, y_other, slope, intercept)]),
        np.concatenate([np.where(forward, 1, -1), np.where(slope >= 0, 1, -1)]),
    )


def _halves(half: int) -> tuple[slice, slice]:
    return slice(half), slice(half, None)


@dataclass(frozen=True)
class Baseline:
    """
    What untrained units reach: for each concept the 99th percentile of their held-out scores (C,).

    With two dozen concepts one untrained unit in six would beat one of them by luck. So a name takes a margin more, the
    same for all concepts, and just so large that 98 in 100 of the untrained units bear no name at all.
    """

    percentile: np.ndarray
    margin: float
    units: int

    @classmethod
    def of(cls, untrained: Sequence[Scores]) -> "Baseline":
        """Of networks of one architecture, never trained, that read the same text."""
        scores = np.concatenate([scores.held_out for scores in untrained], axis=1)  # (C, U)
        percentile = np.maximum(np.percentile(scores, PERCENTILE, axis=1), 0)  # worse than a mean is no score to beat
        best = (scores - percentile[:, None]).max(axis=0, initial=0)
        return cls(percentile, float(np.percentile(best, NAMELESS)), scores.shape[1])

    @property
    def to_beat(self) -> np.ndarray:
        """What a held-out score must exceed for a name, (C,)."""
        return self.percentile + self.margin


class Best(NamedTuple):
    """The unit that told a concept best on the first half, and what became of it on the other."""

    concept: str
    unit: int
    direction: int
    train: float
    held_out: float
    percentile: float  # of the untrained units
    to_beat: float

    @property
    def found(self) -> bool:
        """Whether the unit stands for the concept; else none does."""
        return self.held_out > self.to_beat


def best_units(targets: Targets, scores: Scores, baseline: Baseline) -> list[Best]:
    """For each concept the unit that was chosen on the first half, found or not."""
    best = []
    for c, concept in enumerate(targets.names):
        u = int(scores.train[c].argmax())
        told = scores.direction[c, u], scores.train[c, u], scores.held_out[c, u]
        direction, train, held_out = (float(number) for number in told)
        percentile, to_beat = float(baseline.percentile[c]), float(baseline.to_beat[c])
        best.append(Best(concept, u, int(direction), train, held_out, percentile, to_beat))
    return best


def names(targets: Targets, scores: Scores, baseline: Baseline) -> list[str | None]:
    """What each unit stands for: of the concepts it tells well enough the one it is most above; None for many."""
    above = scores.held_out - baseline.to_beat[:, None]  # (C, U)
    best = above.argmax(axis=0)
    return [targets.names[c] if above[c, u] > 0 else None for u, c in enumerate(best)]
