"""Means of a loss or another number over the runs of a recipe, one per seed."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from charrnn.bootstrap import Interval, student_margin


class Mean(NamedTuple):
    """A mean over a recipe's runs, its 95 % interval, and the range of the runs."""

    value: float
    interval: Interval
    low: float
    high: float
    runs: int

    @property
    def margin(self) -> float:
        """Half the width of the interval."""
        return self.interval.high - self.value

    def __str__(self) -> str:
        """Format the mean with its margin and the number of runs."""
        return f"{self.value:.3f} ± {self.margin:.3f} ({counted(self.runs)})"

    def with_range(self) -> str:
        """Format the mean with the range of the runs, if there are several."""
        return f"{self.value:.3f}" + (f" ({self.low:.3f} to {self.high:.3f})" if self.runs > 1 else "")

    def minus(self, other: "Mean") -> Interval:
        """Return the interval of the difference from another recipe's mean."""
        margin = math.hypot(self.margin, other.margin)
        return Interval(self.value - other.value - margin, self.value - other.value + margin)


def counted(runs: int) -> str:
    """Format a number of runs."""
    return f"{runs} {'run' if runs == 1 else 'runs'}"


def by_recipe(runs: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Group runs {name, seed, …} by recipe: the name of the run without its seed."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        found.setdefault(run["name"].removesuffix(f"-seed{run['seed']}"), []).append(run)
    return found


def mean_of(values: Sequence[float], groups: Iterable[Sequence[float]]) -> Mean | None:
    """
    Return the mean of a recipe's values; None if `groups` are too few.

    groups: the values of every recipe. The interval is Student's t with the standard deviation pooled over them, since
    that of three runs is too uncertain and one run has none. At least two degrees of freedom are needed: one group of
    three values, or two groups of two.
    """
    several = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in several)
    squares = math.fsum(statistics.variance(group) * (len(group) - 1) for group in several)
    deviation = math.sqrt(squares / freedom) if freedom else math.nan
    margin = student_margin(deviation / len(values) ** 0.5, freedom + 1)
    if margin is None:
        return None
    value = statistics.fmean(values)
    return Mean(value, Interval(value - margin, value + margin), min(values), max(values), len(values))
