"""
Baseline: character n-gram model, interpolated modified Kneser-Ney.

A character's probability is its discounted count after the last n - 1 characters, plus the discounted mass times the
probability with one character less of context, down to a uniform distribution. Below the highest order, counts are
numbers of distinct preceding characters. Kneser and Ney 1995; the three discounts of Chen and Goodman 1998.
"""

from collections.abc import Sequence

import numpy as np

from charrnn.ranges import Range

FALLBACK = (0.5, 1.0, 1.5)  # discounts if a text is too small to estimate them (KenLM's, Heafield et al. 2013)
MAX_KEY = 2**63 - 1  # an n-gram is stored as a number of n digits in base V


class KneserNey:
    """
    P(character | the order - 1 characters before it), from the counts of one text.

    ids (N,) of the text, N >= order. With less context, at the start of a text, the model of the lower order is used,
    counted from the same text. Raises ValueError for an order that cannot be counted.
    """

    def __init__(self, ids: np.ndarray, vocab_size: int, order: int):
        highest = next(n for n in range(63) if max(2, vocab_size) ** (n + 1) > MAX_KEY)
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
        """The number of stored numbers: distinct n-grams of every order."""
        return sum(len(counts.ngrams) for counts in [self._highest[self.order], *self._lower.values()])

    def log_probs(self, context: Sequence[int]) -> np.ndarray:
        """
        Return log P of the next character: (V,), nats.

        Only the last order - 1 ids of `context` count.
        """
        last = np.array(context[-(self.order - 1) :], dtype=np.int64)
        n = len(last) + 1
        first = _ngrams(last, n - 1, self.vocab_size)[0] * self.vocab_size if n > 1 else 0
        return np.log(self._probs(first + np.arange(self.vocab_size), n))

    def loss_nats(self, rows: np.ndarray) -> float:
        """Return nats per character of texts rows (S, L); first characters are not scored."""
        longest = min(self.order, rows.shape[1])
        starts = [(_ngrams(rows[:, :n], n, self.vocab_size), n) for n in range(2, longest)]
        probs = [self._probs(ngrams, n) for ngrams, n in [*starts, (_ngrams(rows, longest, self.vocab_size), longest)]]
        return -sum(np.log(part).sum() for part in probs) / rows[:, 1:].size

    def _probs(self, ngrams: np.ndarray, n: int) -> np.ndarray:
        """Return P of the last character of each n-gram, in the shape of ngrams."""
        probs = np.full(ngrams.shape, 1 / self.vocab_size)
        for length in range(1, n):
            probs = self._lower[length].interpolate(ngrams % self.vocab_size**length, probs)
        return self._highest[n].interpolate(ngrams, probs)


def unigram_nats(ids: np.ndarray, rows: np.ndarray, vocab_size: int) -> float:
    """
    Return nats per character of rows (S, L) under the frequencies of ids (N,).

    The first characters are not scored, as in `KneserNey.loss_nats`; add-one smoothing.
    """
    counts = np.bincount(ids, minlength=vocab_size) + 1
    return float(-np.log(counts / counts.sum())[rows[:, 1:]].mean())


class _Counts:
    """Discounted relative frequencies of the n-grams of one order."""

    def __init__(self, ngrams: np.ndarray, counts: np.ndarray, vocab_size: int):
        discounts = np.array((0, *estimate_discounts(counts)))[np.minimum(counts, 3)]
        contexts, starts = np.unique(ngrams // vocab_size, return_index=True)
        totals = np.add.reduceat(counts, starts)
        self.vocab_size = vocab_size
        self.ngrams = ngrams  # (K,) ascending
        self.shares = (counts - discounts) / np.repeat(totals, np.diff(starts, append=len(ngrams)))  # (K,)
        self.contexts = contexts  # (C,) ascending
        self.left_over = np.add.reduceat(discounts, starts) / totals  # (C,) discounted mass

    def interpolate(self, ngrams: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """Return P of the last character of each n-gram, interpolated with `lower`."""
        i, occurs = _find(self.ngrams, ngrams)
        c, has_context = _find(self.contexts, ngrams // self.vocab_size)
        return np.where(has_context, np.where(occurs, self.shares[i], 0) + self.left_over[c] * lower, lower)


def estimate_discounts(counts: np.ndarray) -> tuple[float, float, float]:
    """
    Estimate the discounts for counts of 1, 2, and 3 or more.

    Chen and Goodman 1998, equation 26, from the numbers of counts 1 to 4. Returns FALLBACK if one of those is 0, or
    the estimate is out of range.
    """
    n1, n2, n3, n4 = (int(np.count_nonzero(counts == r)) for r in (1, 2, 3, 4))
    if not n1 * n2 * n3 * n4:
        return FALLBACK
    y = n1 / (n1 + 2 * n2)
    d1, d2, d3 = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3
    return (d1, d2, d3) if 0 < d1 <= 1 and 0 < d2 <= 2 and 0 < d3 <= 3 else FALLBACK


def _ngrams(ids: np.ndarray, n: int, vocab_size: int) -> np.ndarray:
    """Encode each n neighbors as a number: (…, N) -> (…, N - n + 1)."""
    place_values = vocab_size ** np.arange(n - 1, -1, -1, dtype=np.int64)
    return np.lib.stride_tricks.sliding_window_view(ids, n, axis=-1) @ place_values


def _find(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of each value in ascending keys, and whether it occurs."""
    i = np.minimum(keys.searchsorted(values), len(keys) - 1)
    return i, keys[i] == values
