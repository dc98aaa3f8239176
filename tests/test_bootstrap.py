"""Resamples equal repeated positions; intervals cover the truth in 95 % of runs."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from charrnn.analysis_record import AnalysisRecord
from charrnn.bootstrap import (
    Interval,
    interval_facts,
    interval_from_record,
    median_interval,
    percentile_interval,
    resample_counts,
    share_interval,
    student_margin,
    weighted_medians,
)
from charrnn.gradient_flow import first_crossing
from charrnn.gradient_flow.gradient_norms import crossing_intervals, resampled_crossings

REPETITIONS, POSITIONS, BLOCK = 200, 512, 16
CORRELATION = 0.6  # of neighbors, in the autocorrelated samples
independent_or_not = pytest.mark.parametrize(("correlation", "block"), [(0.0, 1), (CORRELATION, BLOCK)])


def normal_samples(rng, correlation, *shape):
    """Standard normal samples, an autoregressive process along the last axis."""
    values = rng.standard_normal(shape)
    for i in range(1, shape[-1]):
        values[..., i] = correlation * values[..., i - 1] + math.sqrt(1 - correlation**2) * values[..., i]
    return values


def coverage(intervals, truth):
    return float(np.mean([interval.low <= truth <= interval.high for interval in intervals]))


def counts_of(positions, block, seed=0, resamples=1000):
    counts = resample_counts(positions, block, seed, resamples)
    assert counts is not None
    return counts


@independent_or_not
def test_interval_of_a_mean_covers(correlation, block):
    counts = counts_of(2 * POSITIONS, block)
    samples = normal_samples(np.random.default_rng(1), correlation, REPETITIONS, 2 * POSITIONS)
    intervals = [percentile_interval(estimates) for estimates in samples @ counts.T / (2 * POSITIONS)]
    assert 0.90 <= coverage(intervals, 0) <= 0.99


@independent_or_not
def test_interval_of_a_half_life_covers(correlation, block):
    """Log-normal norms around exp(-k / 5) cross 1/2 at 5 ln 2 and 1 % at 5 ln 100."""
    rng, lags, found = np.random.default_rng(2), np.arange(25), []
    counts = counts_of(POSITIONS, block, resamples=400)
    for _ in range(REPETITIONS):
        noise = normal_samples(rng, correlation, POSITIONS)  # of a position, at every lag
        relative = np.exp(-lags[:, None] / 5 + np.minimum(lags, 1)[:, None] * noise)
        found.append([percentile_interval(resampled_crossings(relative, counts, level)) for level in (0.5, 0.01)])
    half_lives, horizons = zip(*found, strict=True)
    assert 0.90 <= coverage(half_lives, 5 * math.log(2)) <= 0.99
    assert 0.90 <= coverage(horizons, 5 * math.log(100)) <= 0.99


def test_intervals_without_blocks_are_too_narrow():
    samples = normal_samples(np.random.default_rng(1), CORRELATION, REPETITIONS, POSITIONS)
    estimates = samples @ counts_of(POSITIONS, 1).T / POSITIONS
    assert coverage(map(percentile_interval, estimates), 0) < 0.85


def test_resamples_draw_every_position_equally_often():
    counts = counts_of(100, 6, resamples=4000)
    assert (counts.sum(axis=1) == 100).all() and (counts >= 0).all() and (counts == counts.round()).all()
    assert np.allclose(counts.mean(axis=0), 1, atol=6 * math.sqrt(6 / 4000))
    assert (counts == counts_of(100, 6, resamples=4000)).all() and (counts != counts_of(100, 6, 1, 4000)).any()


def test_resamples_are_made_of_blocks():
    """Starts, recovered from the counts, are as many as the blocks."""
    counts = counts_of(64, 4, resamples=50)
    for row in counts:
        increases = np.diff(row, prepend=row[-1]).clip(0).sum()
        assert 1 <= increases <= 16


def test_too_few_blocks_have_no_interval():
    assert resample_counts(63, 4) is None and resample_counts(64, 4) is not None
    assert crossing_intervals(np.ones((3, 63)), 4) == [None, None]


@pytest.mark.parametrize("positions", [40, 41])
def test_resampled_estimates_equal_those_of_repeated_positions(positions):
    rng = np.random.default_rng(3)
    relative = np.exp(-np.arange(20)[:, None] / 3 + rng.standard_normal((20, positions)))
    relative /= relative[0]
    counts = counts_of(positions, 2, resamples=40)
    repeated = [relative[:, np.repeat(np.arange(positions), row.astype(int))] for row in counts]
    medians = [np.median(norms, axis=1) for norms in repeated]
    assert np.allclose(weighted_medians(relative[7], counts), [median[7] for median in medians], rtol=1e-12)
    for level in (0.5, 0.05, 1e-9):
        expected = [first_crossing(median, level) for median in medians]
        expected = [math.inf if crossing is None else crossing for crossing in expected]
        assert np.allclose(resampled_crossings(relative, counts, level), expected, rtol=1e-9)


def test_crossing_of_a_curve_that_ends_at_zero():
    relative = np.ones((4, 20)) * np.array([1, 0.9, 0, 0])[:, None]
    assert crossing_intervals(relative, 1) == [Interval(2, 2), Interval(2, 2)]


def test_interval_can_be_open():
    relative = np.exp(-np.arange(5)[:, None] * np.r_[np.full(15, 0.1), np.full(16, 0.5)])
    half_life, horizon = crossing_intervals(relative, 1)
    assert half_life is not None and half_life.low < 2 and math.isinf(half_life.high)
    assert horizon == Interval(math.inf, math.inf)
    assert half_life.describe(lambda end: f"{end:.0f}") == f"({half_life.low:.0f} to inf)"


def test_intervals_are_restored_from_records():
    for interval in (Interval(1.5, 2.5), Interval(3.0, math.inf), None):
        record = AnalysisRecord(interval_facts("half_life", interval))
        assert interval_from_record(record, "half_life") == interval


@pytest.mark.parametrize(("samples", "quantile"), [(3, 4.3027), (4, 3.1824), (6, 2.5706), (16, 2.1314), (32, 2.0395)])
def test_margin_is_students_quantile(samples, quantile):
    margin = student_margin(2.0, samples)
    assert margin == pytest.approx(2 * quantile, rel=0.01 if samples < 5 else 1e-3)
    assert student_margin(2.0, 2) is None


def test_normal_quantile_is_that_of_the_level():
    margin = student_margin(1.0, 10**12)
    assert margin is not None and NormalDist().cdf(margin) == pytest.approx(0.975, abs=1e-9)


def test_interval_of_a_median_covers():
    samples = np.random.default_rng(4).standard_exponential((400, 9))
    intervals = [median_interval(sample) for sample in samples.tolist()]
    assert 0.93 <= coverage(intervals, math.log(2)) <= 0.99
    assert median_interval([1.0] * 5) is None and median_interval([3.0, 1, 2, 6, 5, 4]) == (1, 6)


@pytest.mark.parametrize(("count", "n", "ends"), [(0, 3, (0, 0.7076)), (3, 10, (0.0667, 0.6525)), (4, 4, (0.3976, 1))])
def test_interval_of_a_share_is_exact(count, n, ends):
    """Ends as tabulated for Clopper and Pearson's interval."""
    assert share_interval(count, n) == pytest.approx(ends, abs=1e-4)
