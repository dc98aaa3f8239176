"""Means over texts, pairs or runs with their 95 % intervals, and shares as text."""

import math
import statistics
from collections.abc import Mapping, Sequence

from charrnn.bootstrap import Interval, student_margin
from charrnn.number_format import percent


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of independent values; NaN for one value."""
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else math.nan


def mean_interval(mean: float, error: float, samples: int) -> tuple[float, Interval]:
    """Return a mean and its interval by Student's t, infinite for too few samples."""
    margin = student_margin(error, samples) or math.inf
    return mean, Interval(mean - margin, mean + margin)


def difference_of_means(
    first: Mapping[str, float], second: Mapping[str, float], samples: int
) -> tuple[float, Interval]:
    """Return the difference of two means {mean, standard_error}, and its interval."""
    error = math.hypot(first["standard_error"], second["standard_error"])
    return mean_interval(first["mean"] - second["mean"], error, samples)


def share_with_margin(share: Mapping[str, float], samples: int) -> str:
    """Format a mean share {mean, standard_error}: "40.1 ± 0.2 %"."""
    margin = student_margin(share["standard_error"], samples)
    return percent(share["mean"], 1) if margin is None else f"{100 * share['mean']:.1f} ± {percent(margin, 1)}"
