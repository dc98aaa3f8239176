"""Excerpts of a text with the highest activations of a unit."""

from typing import NamedTuple

import numpy as np

PERCENTILE = 95  # of a unit's values: lower limit of high activation
CONTEXT = 20  # characters


class Span(NamedTuple):
    """A run of characters with high activation, with its surroundings."""

    first: int
    end: int  # index after its last character
    before: str
    text: str
    after: str
    peak: float


def top_spans(text: str, values: np.ndarray, limit: int = 8, context: int = CONTEXT) -> list[Span]:
    """
    Return the runs at or above the unit's 95th percentile, strongest first.

    values (N,). Runs are ordered by their summed activation above the median, since a trained tanh unit reaches its
    maximum in many places. A constant unit has no runs. Use `-values` for the lowest activations.
    """
    threshold, median = np.percentile(values, [PERCENTILE, 50])
    is_high = (values >= threshold) & (values > values.min())
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_high.astype(int), [0]])))
    runs = [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]
    runs.sort(key=lambda run: -float((values[slice(*run)] - median).sum()))
    return [
        Span(
            first,
            end,
            text[max(0, first - context) : first],
            text[first:end],
            text[end : end + context],
            float(values[first:end].max()),
        )
        for first, end in runs[:limit]
    ]
