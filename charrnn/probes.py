"""
Small measurements that settle a question about one unit or one reader.

Does a unit begin anew with each line? How many characters back does a reader still look? Both work on any reader,
one in which something is held (`interventions`) too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from charrnn.sampling import Decoder

ALONG = 5  # characters between the two values whose correlation says what a unit carries along a line
FEWEST = 8  # lines, for their spread to say something
LOOKS_BACK = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # characters
NOTICED_NATS = 0.01


@dataclass(frozen=True)
class LineReset:
    """
    How one unit goes from line to line.

    before, after: its standard deviation over line ends, right before ⏎ is read and right after; carried: the
    correlation of its value with that 5 characters earlier in the same line.
    """

    lines: int
    before: float
    after: float
    carried: float

    @property
    def left(self) -> float:
        """What share of the spread a line end leaves: 0 where the unit is the same after each, whatever was before."""
        return self.after / self.before if self.before else 1.0


def line_reset(text: str, values: np.ndarray) -> LineReset:
    """
    Of the values (T,) that one unit has after each character of a text.

    Raises ValueError where the text has too few lines that are long enough.
    """
    ends = np.array([character == "\n" for character in text])
    at = np.flatnonzero(ends)
    at = at[(at > 0) & ~ends[at - 1]]  # an empty line has no value of its own before its end
    line = np.cumsum(ends) - ends  # the ⏎ belongs to the line that it ends
    together = np.flatnonzero((line[ALONG:] == line[:-ALONG]) & ~ends[ALONG:])
    if len(at) < FEWEST or len(together) < FEWEST:
        raise ValueError(f"the text has {len(at)} lines that say something: give one with at least {FEWEST}")
    exact = values.astype(np.float64)
    x, y = exact[together], exact[together + ALONG]
    alive = x.std() > 0 and y.std() > 0
    carried = float(np.corrcoef(x, y)[0, 1]) if alive else 0.0
    return LineReset(len(at), float(exact[at - 1].std()), float(exact[at].std()), carried)


@dataclass(frozen=True, eq=False)
class LookingBack:
    """
    What a reader makes of only the last n characters, against what it makes of all of them: mean KL over positions.

    nats (n,): KL(p given everything ‖ p given the last n characters), p the model's own.
    """

    n: tuple[int, ...]
    nats: np.ndarray
    positions: int

    @property
    def characters(self) -> int | None:
        """
        How many it takes: from there on the mean stays below 0.01 nats. None where 64 are not enough; 0 where it makes
        nothing of what it reads.
        """
        far = [n for n, nats in zip(self.n, self.nats, strict=True) if nats > NOTICED_NATS]
        enough = [n for n in self.n if not far or n > far[-1]]
        return enough[0] if enough else None


def looking_back(reader: Decoder, ids: Sequence[int], positions: int = 48) -> LookingBack:
    """
    How far back a reader looks on a text, from the state in which it begins.

    ids: a few more than the 64 characters that it may look back. Raises ValueError for a shorter text.
    """
    most = LOOKS_BACK[-1]
    if len(ids) <= most:
        raise ValueError(f"the text has {len(ids)} characters: give more than {most}")
    ends = sorted(set(np.linspace(most + 1, len(ids), positions).astype(int).tolist()))
    nats, reading, at = np.zeros(len(LOOKS_BACK)), reader.prefill([]), 0
    for end in ends:
        reading = reader.prefill(ids[at:end], reading.state)
        at = end
        whole = log_probabilities(reading.logits)
        for i, n in enumerate(LOOKS_BACK):
            nats[i] += kl_nats(whole, log_probabilities(reader.prefill(ids[end - n : end]).logits))
    return LookingBack(LOOKS_BACK, nats / len(ends), len(ends))


def kl_nats(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p ‖ q) of two distributions, given as logarithms (V,)."""
    return float(np.exp(p).dot(p - q))


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """The logarithm of the softmax of logits (V,), in float64."""
    exact = logits.astype(np.float64)
    exact = exact - exact.max()
    return exact - np.log(np.exp(exact).sum())
