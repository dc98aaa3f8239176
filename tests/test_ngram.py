"""Kneser-Ney n-grams against dictionaries and printed formulas."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.ngram import FALLBACK, KneserNey, estimate_discounts, unigram_nats

V = 4
texts = st.lists(st.integers(0, V - 1), min_size=6, max_size=80)
contexts = st.lists(st.integers(0, V - 1), max_size=9)


def skewed_text(length, seed=0):
    """Ids with frequent and rare n-grams, so that discounts can be estimated."""
    rng = np.random.default_rng(seed)
    ids = [0]
    while len(ids) < length:
        ids.append(int((ids[-1] + rng.geometric(0.6)) % V))
    return ids


def reference_probabilities(text, context, order):
    """Modified Kneser-Ney with dictionaries: P of each next character."""
    context = tuple(context[-(order - 1) :])
    n = len(context) + 1
    occurrences = Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1))
    return _interpolated(text, context, occurrences)


def _interpolated(text, context, counts):
    n = len(context) + 1
    shorter = [1 / V] * V
    if n > 1:
        before = defaultdict(set)  # N1+(• context w): the distinct preceding characters
        for i in range(len(text) - n + 1):
            before[tuple(text[i + 1 : i + n])].add(text[i])
        shorter = _interpolated(text, context[1:], {ngram: len(distinct) for ngram, distinct in before.items()})
    d = (0, *estimate_discounts(np.array(list(counts.values()))))
    after = [counts.get((*context, w), 0) for w in range(V)]
    if sum(after) == 0:
        return shorter
    left_over = sum(d[min(count, 3)] for count in after)
    return [(c - d[min(c, 3)] + left_over * p) / sum(after) for c, p in zip(after, shorter, strict=True)]


@given(texts, contexts, st.integers(2, 6))
def test_kneser_ney_matches_printed_formulas(text, context, order):
    found = np.exp(KneserNey(np.array(text), V, order).log_probs(context))
    np.testing.assert_allclose(found, reference_probabilities(text, context, order), rtol=1e-12)


def test_kneser_ney_matches_with_estimated_discounts():
    text = skewed_text(600)
    model = KneserNey(np.array(text), V, 5)
    counts = Counter(tuple(text[i : i + 5]) for i in range(len(text) - 4))
    assert estimate_discounts(np.array(list(counts.values()))) != FALLBACK
    for end in range(0, 40, 3):
        np.testing.assert_allclose(
            np.exp(model.log_probs(text[:end])), reference_probabilities(text, text[:end], 5), rtol=1e-12
        )


@given(texts, contexts, st.integers(2, 6))
def test_ngram_probabilities_sum_to_one(text, context, order):
    """After contexts that occur in the text and others."""
    probs = np.exp(KneserNey(np.array(text), V + 3, order).log_probs(context))  # three characters never occur
    assert probs.shape == (V + 3,) and (probs > 0).all()
    assert probs.sum() == pytest.approx(1, abs=1e-12)


@given(texts, st.lists(texts, min_size=1, max_size=3), st.integers(2, 6))
def test_ngram_loss_is_mean_of_log_probs(text, others, order):
    model = KneserNey(np.array(text), V, order)
    length = min(map(len, others))
    rows = [row[:length] for row in others]
    losses = [-model.log_probs(row[:t])[row[t]] for row in rows for t in range(1, length)]
    assert model.loss_nats(np.array(rows)) == pytest.approx(np.mean(losses), rel=1e-12)


def test_discounts_match_published_equation():
    counts = np.repeat([1, 2, 3, 4, 9], [400, 150, 80, 50, 7])
    y = 400 / (400 + 2 * 150)
    expected = (1 - 2 * y * 150 / 400, 2 - 3 * y * 80 / 150, 3 - 4 * y * 50 / 80)
    assert estimate_discounts(counts) == pytest.approx(expected)


@pytest.mark.parametrize("counts", [[1], [5, 6, 7], [1, 2, 3, 3, 3, 4]])
def test_discounts_fall_back_to_defaults(counts):
    assert estimate_discounts(np.array(counts)) == FALLBACK


def test_ngram_size_counts_distinct_ngrams():
    text = skewed_text(50)
    distinct = [{tuple(text[i : i + n]) for i in range(len(text) - n + 1)} for n in (1, 2, 3)]
    inner = [{ngram[1:] for ngram in longer} for longer in distinct[1:]]  # the first n-gram of a text follows none
    assert KneserNey(np.array(text), V, 3).size == len(distinct[2]) + sum(map(len, inner))


@pytest.mark.parametrize(
    ("ids", "order", "problem"),
    [([0, 1, 2], 1, "order is 1"), ([0, 1, 2], 60, "order is 60"), ([0, 1], 3, "3 ids"), ([0, 1, 4], 2, "0 to 3")],
)
def test_invalid_ngram_input_is_refused(ids, order, problem):
    with pytest.raises(ValueError, match=problem):
        KneserNey(np.array(ids), V, order)


def test_unigram_loss_is_entropy():
    ids = np.array([0, 0, 0, 1, 1, 2])
    rows = np.array([[3, 0, 1], [2, 3, 3]])
    shares = np.array([4, 3, 2, 1]) / 10  # one is added to each count
    assert unigram_nats(ids, rows, V) == pytest.approx(-np.log(shares[[0, 1, 3, 3]]).mean())
    text = np.array(skewed_text(4000))
    assert unigram_nats(text, text[None], V) > KneserNey(text, V, 2).loss_nats(text[None])
