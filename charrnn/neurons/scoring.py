"""
Score units against concepts, relative to untrained networks.

Units are chosen on the first half of a text and scored on the second. An untrained network also separates a newline
from a letter, so a score only counts if it exceeds what untrained units of the same kind reach on the same text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from charrnn.bootstrap import Interval, percentile_interval, resample_counts, with_interval
from charrnn.neurons.association import (
    least_squares,
    r_squared,
    rank_order,
    resampled_auc,
    resampled_r_squared,
    roc_auc,
)
from charrnn.neurons.concepts import BANK, Concept

MIN_SAMPLES = 10  # characters with and without a label, in each half
PERCENTILE = 99  # of the untrained units' scores: the baseline of a concept
UNNAMED_PERCENT = 98  # of untrained units must get no name
MIN_CHARS = 400
NARROW = 0.02  # intervals below this width are shown with a third digit
BLOCK_CHARS = 128  # drawn together for the intervals: most concepts are stretches of text


@dataclass(frozen=True)
class ConceptTargets:
    """The concepts evaluated on a text of N characters; labels precede values."""

    text: str
    names: tuple[str, ...]  # C of them
    labels: np.ndarray  # (N, ·) bool
    values: np.ndarray  # (N, ·)
    rare: tuple[str, ...]  # concepts that occur too rarely in one half of the text

    @classmethod
    def of(cls, text: str, concepts: Sequence[Concept] = BANK) -> "ConceptTargets":
        """Evaluate the concepts. Raises ValueError for a text that is too short."""
        if len(text) < MIN_CHARS:
            raise ValueError(f"the text has {len(text)} characters: units are scored on {MIN_CHARS} or more")
        found = [(concept.name, concept.of(text)) for concept in concepts]
        half = len(text) // 2
        varying = [(name, target) for name, target in found if _varies(target[:half]) and _varies(target[half:])]
        labels = [(name, target) for name, target in varying if target.dtype == bool]
        values = [(name, target) for name, target in varying if target.dtype != bool]
        return cls(
            text,
            tuple(name for name, _ in labels + values),
            np.array([target for _, target in labels], bool).reshape(-1, len(text)).T,
            np.array([target for _, target in values], float).reshape(-1, len(text)).T,
            tuple(name for name, _ in found if name not in dict(varying)),
        )


def _varies(target: np.ndarray) -> bool:
    if target.dtype != bool:
        return np.ptp(target) > 0
    return MIN_SAMPLES <= target.sum() <= len(target) - MIN_SAMPLES


@dataclass(frozen=True)
class Scores:
    """Scores of U units for C concepts: AUC of labels, R² of values; arrays (C, U)."""

    train: np.ndarray
    held_out: np.ndarray
    direction: np.ndarray  # 1: positive association; −1: negative


def score(targets: ConceptTargets, activations: np.ndarray) -> Scores:
    """
    Score every unit against every concept: activations (N, U).

    Direction and regression lines come from the first half of the text.
    """
    half = len(targets.text) // 2
    (x, y), (x_other, y_other) = ((activations[part], targets.values[part]) for part in _halves(half))
    slope, intercept = least_squares(x, y)
    auc, auc_other = (roc_auc(rank_order(activations[part]), targets.labels[part]) for part in _halves(half))
    positive = auc >= 0.5
    return Scores(
        np.concatenate([np.where(positive, auc, 1 - auc), r_squared(x, y, slope, intercept)]),
        np.concatenate([np.where(positive, auc_other, 1 - auc_other), r_squared(x_other, y_other, slope, intercept)]),
        np.concatenate([np.where(positive, 1, -1), np.where(slope >= 0, 1, -1)]),
    )


def _halves(half: int) -> tuple[slice, slice]:
    return slice(half), slice(half, None)


@dataclass(frozen=True)
class Baseline:
    """
    Scores of untrained units: 99th percentile of held-out scores per concept (C,).

    With two dozen concepts one untrained unit in six would exceed a percentile by chance. A name therefore also
    requires a margin, equal for all concepts, chosen so that 98 % of untrained units get no name.

    chance: number of concepts that an untrained network finds on average by the same protocol: its best units, chosen
    on the first half, against this baseline. None if not measured.
    """

    percentile: np.ndarray
    margin: float
    units: int
    chance: float | None = None

    @classmethod
    def of(cls, untrained: Sequence[Scores], others: Sequence[Scores] = ()) -> "Baseline":
        """
        Compute the baseline from untrained networks of one architecture on one text.

        others: more of them, which give the chance. Without any it comes from leaving one network out of the baseline
        at a time, which is less exact.
        """
        baseline = cls._of(untrained)
        pairs = [(scores, baseline) for scores in others]
        if not others and len(untrained) > 1:
            pairs = [(untrained[i], cls._of([*untrained[:i], *untrained[i + 1 :]])) for i in range(len(untrained))]
        return replace(baseline, chance=float(np.mean([found_count(*pair) for pair in pairs])) if pairs else None)

    @classmethod
    def _of(cls, untrained: Sequence[Scores]) -> "Baseline":
        scores = np.concatenate([scores.held_out for scores in untrained], axis=1)  # (C, U)
        percentile = np.maximum(np.percentile(scores, PERCENTILE, axis=1), 0)  # at least 0: R² can be negative
        excess = (scores - percentile[:, None]).max(axis=0, initial=0)
        return cls(percentile, float(np.percentile(excess, UNNAMED_PERCENT)), scores.shape[1])

    @property
    def to_beat(self) -> np.ndarray:
        """Held-out score needed for a name, (C,)."""
        return self.percentile + self.margin


class BestUnit(NamedTuple):
    """The best unit for a concept on the first half, and its held-out score."""

    concept: str
    unit: int
    direction: int
    train: float
    held_out: float
    percentile: float  # of untrained units
    to_beat: float
    interval: Interval | None = None  # of held_out, by bootstrap over blocks of the second half

    @property
    def held_out_text(self) -> str:
        """Format the held-out score and its interval; a third digit if that is narrow."""
        is_narrow = self.interval is not None and self.interval.high - self.interval.low < NARROW
        digits = 3 if is_narrow else 2
        text = with_interval(f"{self.held_out:.{digits}f}", self.interval, lambda end: f"{end:.{digits}f}")
        return text.replace("-", "−")

    @property
    def margin(self) -> float:
        """Held-out score minus `to_beat`."""
        return self.held_out - self.to_beat

    @property
    def found(self) -> bool:
        """Whether the held-out score is above `to_beat`: the concept has a unit."""
        return self.margin > 0

    @property
    def clear(self) -> bool:
        """Whether the whole interval of the score is above `to_beat`."""
        return self.found and (self.interval is None or self.interval.low > self.to_beat)


def best_units(targets: ConceptTargets, scores: Scores, baseline: Baseline) -> list[BestUnit]:
    """Return the best unit of each concept on the first half."""
    best = []
    for c, concept in enumerate(targets.names):
        u = int(scores.train[c].argmax())
        values = scores.direction[c, u], scores.train[c, u], scores.held_out[c, u]
        direction, train, held_out = map(float, values)
        percentile, to_beat = float(baseline.percentile[c]), float(baseline.to_beat[c])
        best.append(BestUnit(concept, u, int(direction), train, held_out, percentile, to_beat))
    return best


def found_count(scores: Scores, baseline: Baseline) -> int:
    """Count the concepts whose best unit exceeds the baseline on the second half."""
    best = scores.train.argmax(axis=1)[:, None]
    return int((np.take_along_axis(scores.held_out, best, axis=1)[:, 0] > baseline.to_beat).sum())


def with_intervals(targets: ConceptTargets, activations: np.ndarray, best: Sequence[BestUnit]) -> list[BestUnit]:
    """Add the interval of each held-out score, from activations (N, U)."""
    half = len(targets.text) // 2
    first, second = _halves(half)
    counts = resample_counts(len(targets.text) - half, BLOCK_CHARS)
    if counts is None:
        return list(best)
    found = []
    for unit in best:
        c = targets.names.index(unit.concept)
        x = activations[:, unit.unit].astype(float)
        if c < targets.labels.shape[1]:
            scores = resampled_auc(x[second] * unit.direction, targets.labels[second, c], counts)
        else:
            y = targets.values[:, c - targets.labels.shape[1]]
            slope, intercept = least_squares(x[first, None], y[first, None])
            scores = resampled_r_squared(y[second], intercept.item() + slope.item() * x[second], counts)
        found.append(unit._replace(interval=percentile_interval(scores[np.isfinite(scores)])))
    return found


def unit_names(targets: ConceptTargets, scores: Scores, baseline: Baseline) -> list[str | None]:
    """Return each unit's concept, the one most above its threshold, or None."""
    above = scores.held_out - baseline.to_beat[:, None]  # (C, U)
    best = above.argmax(axis=0)
    return [targets.names[c] if above[c, u] > 0 else None for u, c in enumerate(best)]
