"""
The floor that a network has to beat: an n-gram model of characters, interpolated modified Kneser-Ney.

No learning, only counting. A character's probability is its discounted count after the last n - 1 characters, plus
what the discounts left over, given to the same question with one character less of context, down to a uniform guess.
Below the highest order a count says how many different characters stood before the n-gram, not how often it stood
there. Kneser and Ney 1995; the three discounts of Chen and Goodman 1998.
"""

from collections.abc import Sequence

import numpy as np

from charrnn.ranges import Range

FALLBACK = (0.5, 1.0, 1.5)  # discounts where a text is too small to say (KenLM's, Heafield et al. 2013)
LARGEST_KEY = 2**63 - 1  # an n-gram is a number of n digits to the base V


class KneserNey:
    """
    P(character | the order - 1 characters before it), from the counts of one text.

    ids (N,) of the text, N >= order. Where fewer characters are known, at the start of a text, it is the model of the
    lower order, counted from the same text. Raises ValueError for an order that cannot be counted.
    """

    def __init__(self, ids: np.ndarray, vocab_size: int, order: int):
        highest = next(n for n in range(63) if max(2, vocab_size) ** (n + 1) > LARGEST_KEY)
        Range(2, highest, whole=True).require("order", order)
        if len(ids) < order or not 0 <= ids.min() <= ids.max() < vocab_size:
            raise ValueError(f"give {order} ids or more, each from 0 to {vocab_size - 1}")
        self.vocab_size = vocab_size
        self.order = order
        counts = {n: np.unique(_ngrams(ids, n, vocab_size), return_counts=True) for n in range(1, order + 1)}
        self._highest = {n: _Counts(*counts[n], vocab_size) for n in counts}
        self._lower = {
            n: _Counts(*np.unique(counts[n + 1][0] % vocab_size**n, return_counts=True), vocab_size)
            for n in range(1, order)
        }

    @property
    def size(self) -> int:
        """How many numbers the model of the full order keeps: its distinct n-grams, of every order."""
        return sum(len(counts.ngrams) for counts in [self._highest[self.order], *self._lower.values()])

    def log_probs(self, context: Sequence[int]) -> np.ndarray:
        """log P of each character after these ids, of which the last order - 1 count: (V,), nats."""
        known = np.array(context[-(self.order - 1) :], dtype=np.int64)
        n = len(known) + 1
        first = _ngrams(known, n - 1, self.vocab_size)[0] * self.vocab_size if n > 1 else 0
        return np.log(self._probs(first + np.arange(self.vocab_size), n))

    def loss_nats(self, rows: np.ndarray) -> float:
        """Nats per character of the texts rows (S, L), each read from nothing; their first characters are given."""
        longest = min(self.order, rows.shape[1])
        starts = [(_ngrams(rows[:, :n], n, self.vocab_size), n) for n in range(2, longest)]
        probs = [self._probs(ngrams, n) for ngrams, n in [*starts, (_ngrams(rows, longest, self.vocab_size), longest)]]
        return -sum(np.log(some).sum() for some in probs) / rows[:, 1:].size

    def _probs(self, ngrams: np.ndarray, n: int) -> np.ndarray:
        """P of the last character of each n-gram after the others; any shape -> the same."""
        probs = np.full(ngrams.shape, 1 / self.vocab_size)
        for length in range(1, n):
            probs = self._lower[length].interpolate(ngrams % self.vocab_size**length, probs)
        return self._highest[n].interpolate(ngrams, probs)


def unigram_nats(ids: np.ndarray, rows: np.ndarray, vocab_size: int) -> float:
    """
    Nats per character of the texts rows (S, L) for whoever knows only how often each character occurs in ids (N,).

    The first characters of the texts are given, as in `KneserNey.loss_nats`; one is added to every count (Laplace).
    """
    counts = np.bincount(ids, minlength=vocab_size) + 1
    return float(-np.log(counts / counts.sum())[rows[:, 1:]].mean())


class _Counts:
    """The n-grams of one order and their discounted counts, relative to all with the same context."""

    def __init__(self, ngrams: np.ndarray, counts: np.ndarray, vocab_size: int):
        discounts = np.array((0, *discounts_of(counts)))[np.minimum(counts, 3)]
        contexts, starts = np.unique(ngrams // vocab_size, return_index=True)
        totals = np.add.reduceat(counts, starts)
        self.vocab_size = vocab_size
        self.ngrams = ngrams  # (K,) ascending
        self.shares = (counts - discounts) / np.repeat(totals, np.diff(starts, append=len(ngrams)))  # (K,)
        self.contexts = contexts  # (C,) ascending
        self.left_over = np.add.reduceat(discounts, starts) / totals  # (C,) what the discounts took

    def interpolate(self, ngrams: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """P of the last character of each n-gram, given what the model with one character less of context says."""
        i, seen = _find(self.ngrams, ngrams)
        c, known = _find(self.contexts, ngrams // self.vocab_size)
        return np.where(known, np.where(seen, self.shares[i], 0) + self.left_over[c] * lower, lower)


def discounts_of(counts: np.ndarray) -> tuple[float, float, float]:
    """
    What is taken from a count of 1, of 2, and of 3 or more: leaving one out, estimated from how many counts are 1 to 4.

    Chen and Goodman 1998, equation 26. FALLBACK where one of those is missing, or the estimate is no discount.
    """
    n1, n2, n3, n4 = (int(np.count_nonzero(counts == r)) for r in (1, 2, 3, 4))
    if not n1 * n2 * n3 * n4:
        return FALLBACK
    y = n1 / (n1 + 2 * n2)
    d1, d2, d3 = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3
    return (d1, d2, d3) if 0 < d1 <= 1 and 0 < d2 <= 2 and 0 < d3 <= 3 else FALLBACK


def _ngrams(ids: np.ndarray, n: int, vocab_size: int) -> np.ndarray:
    """Every n neighbours along the last axis as one number: (…, N) -> (…, N - n + 1)."""
    places = vocab_size ** np.arange(n - 1, -1, -1, dtype=np.int64)
    return np.lib.stride_tricks.sliding_window_view(ids, n, axis=-1) @ places


def _find(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each wanted number stands among the ascending keys, and whether it does."""
    i = np.minimum(keys.searchsorted(wanted), len(keys) - 1)
    return i, keys[i] == wanted
