"""
95 % intervals: bootstrap over blocks of a text, Student's t, medians, shares.

Neighboring positions depend on each other, so blocks of consecutive ones are drawn: moving blocks on a circle, which
draw every position equally often. A resample is a row of counts, how often each position was drawn, so that an
estimate of weighted positions is computed for all resamples at once. Künsch 1989, Politis and Romano 1992.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from charrnn.analysis_record import AnalysisRecord, Value

LEVEL = 0.95
NORMAL_QUANTILE = 1.959963984540054  # of a two-sided interval of that level
RESAMPLES = 1000
MIN_BLOCKS = 16  # with fewer the bootstrap's intervals are too narrow
MIN_STRETCHES = 3


class Interval(NamedTuple):
    """A 95 % confidence interval; an end beyond the measured range is infinite."""

    low: float
    high: float

    def describe(self, format_end: Callable[[float], str]) -> str:
        """Format the interval in brackets."""
        return f"({format_end(self.low)} to {format_end(self.high)})"


def with_interval(text: str, interval: Interval | None, format_end: Callable[[float], str]) -> str:
    """Append the interval of an estimate in brackets, if there is one."""
    return f"{text} {interval.describe(format_end)}" if interval else text


def positions_within(positions: Sequence[int], characters: int) -> int:
    """Return how many evenly spread positions fit in so many characters, at least 1."""
    span = positions[-1] - positions[0]
    return math.ceil(characters * (len(positions) - 1) / span) if span else 1


def resample_counts(positions: int, block: int = 1, seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray | None:
    """
    Draw resamples, as counts of each position: (resamples, positions) float64.

    block: consecutive positions drawn together; the last block of a resample is cut to `positions` in all. None for
    fewer than 16 blocks.
    """
    if positions < MIN_BLOCKS * block:
        return None
    blocks = -(-positions // block)
    starts = np.random.default_rng(seed).integers(positions, size=(resamples, blocks))
    lengths = np.full(blocks, block)
    lengths[-1] = positions - (blocks - 1) * block
    width = positions + block + 1  # a block that begins at the end continues at the beginning
    row = width * np.arange(resamples)[:, None]
    begun, ended = (np.bincount((row + at).ravel(), minlength=resamples * width) for at in (starts, starts + lengths))
    counts = (begun - ended).reshape(resamples, width).cumsum(axis=1, dtype=float)
    counts[:, :block] += counts[:, positions : positions + block]
    return counts[:, :positions]


def weighted_means(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the means of values (N, P) in each resample: counts (R, P) -> (R, N)."""
    return counts @ values.T / counts.sum(axis=1, keepdims=True)


def weighted_medians(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the median of values (P,) in each resample: counts (R, P) -> (R,)."""
    order = values.argsort()
    drawn = counts[:, order].cumsum(axis=1)
    total = drawn[:, -1:]
    middle = [np.floor((total + 1) / 2), np.floor((total + 2) / 2)]  # ranks, from 1; equal for an odd total
    return np.mean([values[order][(drawn >= rank).argmax(axis=1)] for rank in middle], axis=0)


def percentile_interval(estimates: np.ndarray) -> Interval:
    """Return the interval of estimates in resamples (R,); they can be infinite."""
    tail = (1 - LEVEL) / 2
    low, high = (float(np.quantile(estimates, q, method="inverted_cdf")) for q in (tail, 1 - tail))
    return Interval(low, high)


def student_margin(error: float, samples: int) -> float | None:
    """
    Return half the width of the interval of a mean, from its standard error.

    samples: how many values gave the error; None for fewer than three. The quantile of Student's t is that of the
    normal distribution with corrections, to 1 % or better (Abramowitz and Stegun, 26.7.5).
    """
    if samples < MIN_STRETCHES:
        return None
    z, n = NORMAL_QUANTILE, samples - 1
    corrections = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return error * (z + math.fsum(part / n ** (i + 1) for i, part in enumerate(corrections)))


def median_interval(values: Sequence[float]) -> Interval | None:
    """
    Return the interval of the median of independent values; None below six.

    Its ends are two of the values: the number of values below the median is binomial with probability 1/2 (sign test).
    """
    n, tail = len(values), (1 - LEVEL) / 2
    below = [sum(math.comb(n, i) for i in range(k + 1)) / 2**n for k in range(n)]
    rank = sum(share <= tail for share in below)  # values to leave out at each end
    ordered = sorted(values)
    return Interval(ordered[rank - 1], ordered[n - rank]) if rank else None


def share_interval(count: int, n: int) -> Interval:
    """
    Return the exact interval of a share, `count` of n independent cases.

    Clopper and Pearson 1934.
    """

    def crossing(is_above: Callable[[float], bool]) -> float:
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (low, middle) if is_above(middle) else (middle, high)
        return (low + high) / 2

    def at_most(k: int, share: float) -> float:
        return math.fsum(math.comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(k + 1))

    tail = (1 - LEVEL) / 2
    low = 0.0 if count == 0 else crossing(lambda share: 1 - at_most(count - 1, share) > tail)
    high = 1.0 if count == n else crossing(lambda share: at_most(count, share) < tail)
    return Interval(low, high)


def interval_facts(name: str, interval: Interval | None) -> dict[str, Value]:
    """Return an interval as scalars of an analysis record; none without an interval."""
    if interval is None:
        return {}
    ends = {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {end: None if math.isinf(value) else value for end, value in ends.items()}


def interval_from_record(record: AnalysisRecord, name: str) -> Interval | None:
    """Restore an interval; None for a record without it. Raises RecordError."""
    if f"{name}_low" not in record.facts:
        return None
    low, high = (record.number_or_none(f"{name}_{end}") for end in ("low", "high"))
    return Interval(*(math.inf if end is None else end for end in (low, high)))
