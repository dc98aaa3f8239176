"""
Measurements on one unit or one decoder, with or without clamps.

`line_reset`: how much of a unit's variation remains after a line end. `ablate_context`: how many characters of context
affect a decoder's predictions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from charrnn.sampling import Decoder

CARRY_DISTANCE = 5  # characters between the two values whose correlation is measured within a line
MIN_LINES = 8  # lines needed for a meaningful spread
CONTEXT_LENGTHS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # characters
NEGLIGIBLE_NATS = 0.01


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
    is_end = np.array([character == "\n" for character in text])
    ends = np.flatnonzero(is_end)
    ends = ends[(ends > 0) & ~is_end[ends - 1]]  # an empty line has no value before its end
    line = np.cumsum(is_end) - is_end  # the ⏎ belongs to the line that it ends
    pairs = np.flatnonzero((line[CARRY_DISTANCE:] == line[:-CARRY_DISTANCE]) & ~is_end[CARRY_DISTANCE:])
    if len(ends) < MIN_LINES or len(pairs) < MIN_LINES:
        raise ValueError(f"the text has {len(ends)} usable lines: give one with at least {MIN_LINES}")
    exact = values.astype(np.float64)
    x, y = exact[pairs], exact[pairs + CARRY_DISTANCE]
    varies = x.std() > 0 and y.std() > 0
    carried = float(np.corrcoef(x, y)[0, 1]) if varies else 0.0
    return LineReset(len(ends), float(exact[ends - 1].std()), float(exact[ends].std()), carried)


@dataclass(frozen=True, eq=False)
class ContextAblation:
    """
    Effect of truncating the context to n characters: mean KL over positions.

    nats (n,): KL(p given all characters ‖ p given the last n), p the model's own distribution.
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
        insufficient = [n for n, nats in zip(self.n, self.nats, strict=True) if nats > NEGLIGIBLE_NATS]
        sufficient = [n for n in self.n if not insufficient or n > insufficient[-1]]
        return sufficient[0] if sufficient else None


def ablate_context(decoder: Decoder, ids: Sequence[int], positions: int = 48) -> ContextAblation:
    """
    Measure how much context affects a decoder's predictions on a text.

    ids: more than 64. Raises ValueError for a shorter text.
    """
    longest = CONTEXT_LENGTHS[-1]
    if len(ids) <= longest:
        raise ValueError(f"the text has {len(ids)} characters: give more than {longest}")
    ends = sorted(set(np.linspace(longest + 1, len(ids), positions).astype(int).tolist()))
    nats = np.zeros(len(CONTEXT_LENGTHS))
    output = decoder.prefill([])
    for start, end in pairwise([0, *ends]):
        output = decoder.prefill(ids[start:end], output.state)
        full_context = log_probabilities(output.logits)
        for i, n in enumerate(CONTEXT_LENGTHS):
            nats[i] += kl_nats(full_context, log_probabilities(decoder.prefill(ids[end - n : end]).logits))
    return ContextAblation(CONTEXT_LENGTHS, nats / len(ends), len(ends))


def kl_nats(p: np.ndarray, q: np.ndarray) -> float:
    """Return KL(p ‖ q) of log probabilities (V,)."""
    return float(np.exp(p).dot(p - q))


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return log softmax of logits (V,), in float64."""
    exact = logits.astype(np.float64)
    exact = exact - exact.max()
    return exact - np.log(np.exp(exact).sum())
