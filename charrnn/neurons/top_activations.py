"""Where in a text a unit says the most."""

from typing import NamedTuple

import numpy as np

EXCITED = 95  # percentile of a unit's values: the twentieth part of the text where it says the most
CONTEXT = 20  # characters


class Span(NamedTuple):
    """A run of characters over which a unit stays excited, and what stands around it."""

    first: int
    end: int  # the place after its last character
    before: str
    text: str
    after: str
    peak: float


def top_spans(text: str, values: np.ndarray, most: int = 8, context: int = CONTEXT) -> list[Span]:
    """
    The runs of characters at or above the unit's 95th percentile, by how much they say together above its median.

    values (N,). A sum, not the peak: a trained tanh unit is at its limit in many places. No runs for a unit that always
    says the same. The least excited ones are those of `-values`.
    """
    threshold, middle = np.percentile(values, [EXCITED, 50])
    excited = (values >= threshold) & (values > values.min())
    edges = np.flatnonzero(np.diff(np.concatenate([[0], excited.astype(int), [0]])))
    runs = [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]
    runs.sort(key=lambda run: -float((values[slice(*run)] - middle).sum()))
    return [
        Span(
            first,
            end,
            text[max(0, first - context) : first],
            text[first:end],
            text[end : end + context],
            float(values[first:end].max()),
        )
        for first, end in runs[:most]
    ]
