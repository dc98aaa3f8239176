"""
Small measurements on one unit or one decoder, with or without clamps.

`line_reset`: does a unit reset at each line? `looking_back`: how many characters back does a decoder still look?
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from charrnn.sampling import Decoder

ALONG = 5  # distance in characters of the two values whose correlation is measured along a line
MIN_LINES = 8  # lines needed for a meaningful spread
LOOKS_BACK = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # characters
NOTICED_NATS = 0.01


@dataclass(frozen=True)
class LineReset:
    """
    Statistics of one unit at line ends.

    before, after: standard deviation over line ends, just before and just after ⏎ is read; carried: correlation of
    the unit's value with that 5 characters earlier in the same line.
    """

    lines: int
    before: float
    after: float
    carried: float

    @property
    def remaining_share(self) -> float:
        """Share of the spread that remains after a line end; 0: the unit is reset."""
        return self.after / self.before if self.before else 1.0


def line_reset(text: str, values: np.ndarray) -> LineReset:
    """
    Measure the values (T,) of one unit after each character of a text.

    Raises ValueError if the text has too few lines.
    """
    ends = np.array([character == "\n" for character in text])
    at = np.flatnonzero(ends)
    at = at[(at > 0) & ~ends[at - 1]]  # an empty line has no value before its end
    line = np.cumsum(ends) - ends  # the ⏎ belongs to the line that it ends
    together = np.flatnonzero((line[ALONG:] == line[:-ALONG]) & ~ends[ALONG:])
    if len(at) < MIN_LINES or len(together) < MIN_LINES:
        raise ValueError(f"the text has {len(at)} usable lines: give one with at least {MIN_LINES}")
    exact = values.astype(np.float64)
    x, y = exact[together], exact[together + ALONG]
    alive = x.std() > 0 and y.std() > 0
    carried = float(np.corrcoef(x, y)[0, 1]) if alive else 0.0
    return LineReset(len(at), float(exact[at - 1].std()), float(exact[at].std()), carried)


@dataclass(frozen=True, eq=False)
class ContextAblation:
    """
    Effect of truncating the context to n characters: mean KL over positions.

    ats (n,): KL(p given all characters ‖ p given the last n), p the model's own distribution.
    """

    n: tuple[int, ...]
    nats: np.ndarray
    positions: int

    @property
    def characters(self) -> int | None:
        """
        Smallest context from which the mean KL stays within 0.01 nats.

        None if 64 characters are not enough; 0 if the text has no effect.
        """
        far = [n for n, nats in zip(self.n, self.nats, strict=True) if nats > NOTICED_NATS]
        enough = [n for n in self.n if not far or n > far[-1]]
        return enough[0] if enough else None


def looking_back(decoder: Decoder, ids: Sequence[int], positions: int = 48) -> ContextAblation:
    """
    Measure how far back a decoder looks on a text, from its start.

    ids: more than 64. Raises ValueError for a shorter text.
    """
    most = LOOKS_BACK[-1]
    if len(ids) <= most:
        raise ValueError(f"the text has {len(ids)} characters: give more than {most}")
    ends = sorted(set(np.linspace(most + 1, len(ids), positions).astype(int).tolist()))
    nats = np.zeros(len(LOOKS_BACK))
    output = decoder.prefill([])
    for start, end in pairwise([0, *ends]):
        output = decoder.prefill(ids[start:end], output.state)
        whole = log_probabilities(output.logits)
        for i, n in enumerate(LOOKS_BACK):
            nats[i] += kl_nats(whole, log_probabilities(decoder.prefill(ids[end - n : end]).logits))
    return ContextAblation(LOOKS_BACK, nats / len(ends), len(ends))


def kl_nats(p: np.ndarray, q: np.ndarray) -> float:
    """Return KL(p ‖ q) of log probabilities (V,)."""
    return float(np.exp(p).dot(p - q))


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return log softmax of logits (V,), in float64."""
    exact = logits.astype(np.float64)
    exact = exact - exact.max()
    return exact - np.log(np.exp(exact).sum())
