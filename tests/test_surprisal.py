"""Surprisal in bits, differences of two models and their groups."""

import json
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.analysis_record import AnalysisRecord
from charrnn.registry import build_model
from charrnn.surprisal import (
    STRETCHES,
    Difference,
    difference_by_kind,
    kind_record,
    surprisal_bits,
    surprisals,
)
from tests.small_models import SMALL, VOCAB

TEXT = "ROMEO:\nWhat's here? A cup, clos'd in my true love's hand?\n\nFirst Citizen:\nAy, sir; 'tis so.\n"
texts = st.text("aB \n:'.", min_size=1, max_size=300)


def difference(text: str, seed: int = 0) -> Difference:
    """Random surprisals of two models."""
    a, b = (np.random.default_rng(each).gamma(2, size=len(text)) for each in (seed, seed + 1))
    return Difference(text, a, b)


@pytest.mark.parametrize("name", list(SMALL))
@pytest.mark.parametrize("piece", [7, 256])
def test_surprisals_match_plain_loop(name: str, piece: int):
    decoder, ids = build_model(SMALL[name], len(VOCAB)).decoder(), VOCAB.encode(TEXT)
    output, expected = decoder.prefill([]), []
    for id in ids:
        weights = [math.exp(logit) for logit in output.logits.tolist()]
        expected.append(-math.log2(weights[id] / sum(weights)))
        output = decoder.step(id, output.state)
    found = np.concatenate(list(surprisals(decoder, ids, piece)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)  # MiniGPT reads many at once in float32


@given(st.lists(st.floats(-2000, 2000), min_size=2, max_size=9))
def test_surprisals_are_log_probabilities(logits):
    bits = surprisal_bits(np.array([logits] * len(logits)), range(len(logits)))
    assert (bits >= -1e-9).all() and np.exp2(-bits).sum() == pytest.approx(1)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_infinite_logits_are_refused(wrong: float):
    with pytest.raises(ValueError, match="not finite"):
        surprisal_bits(np.array([[0.0, wrong]]), [0])


def test_empty_text_has_no_surprisals():
    assert list(surprisals(build_model(SMALL["rnn"], len(VOCAB)).decoder(), [])) == []


@given(texts, st.integers(0, 99))
def test_groups_partition_characters(text, seed):
    both = difference(text, seed)
    whole = both.whole()
    assert (whole.characters, whole.delta_bits) == (len(text), pytest.approx(both.delta_bits.mean()))
    for groups in (both.by_kind(), both.by_context()):
        assert sum(group.characters for group in groups) == len(text)
        for name in ("a_bits", "b_bits", "delta_bits"):
            weighted = sum(group.characters * getattr(group, name) for group in groups) / len(text)
            assert weighted == pytest.approx(getattr(whole, name))
        assert all(group.delta_bits == pytest.approx(group.a_bits - group.b_bits) for group in groups)


def test_context_groups_are_positions():
    whole = difference("a" * 300)
    groups = whole.by_context()
    assert [group.name for group in groups] == ["1–8", "9–16", "17–32", "33–64", "65–128", "129–256", "257+"]
    assert [group.characters for group in groups] == [8, 8, 16, 32, 64, 128, 44]
    assert groups[2].a_bits == pytest.approx(sum(whole.a_bits.tolist()[16:32]) / 16)
    assert [group.name for group in difference("abcdefghi").by_context()] == ["1–8", "9–16"]


def test_interval_is_that_of_stretch_means():
    both = difference("a" * 1024)  # 16 stretches of 64
    means = both.delta_bits.reshape(16, 64).mean(axis=1).tolist()
    assert both.whole().margin_bits == pytest.approx(2.1314 * statistics.stdev(means) / 4, rel=1e-4)
    by_context = {group.name: group for group in both.by_context()}
    assert by_context["129–256"].margin_bits is None, "two stretches"
    assert by_context["257+"].margin_bits == pytest.approx(
        2.2010 * statistics.stdev(means[4:]) / math.sqrt(12), rel=0.03
    )
    assert difference("a" * 191).whole().margin_bits is None


@pytest.mark.parametrize("lengths", [(0, 0, 0), (2, 1, 2), (2, 2, 3)])
def test_difference_needs_equal_lengths(lengths: tuple[int, int, int]):
    n, a, b = lengths
    with pytest.raises(ValueError, match=f"{n} characters, {a} and {b} surprisals"):
        Difference("x" * n, np.ones(a), np.ones(b))


def stored(text: str, bits: np.ndarray) -> AnalysisRecord:
    """The record of a model's surprisals, read back from JSON."""
    return AnalysisRecord.from_json(json.loads(kind_record(text, bits).as_json()))


def test_stored_difference_matches_characters():
    text = TEXT * 40
    whole = difference(text)
    found = difference_by_kind(stored(text, whole.a_bits), stored(text, whole.b_bits))
    for group, exact in zip(found, [whole.whole(), *whole.by_kind()], strict=True):
        assert (group.name, group.characters) == (exact.name, exact.characters)
        assert group.a_bits == pytest.approx(exact.a_bits, abs=1e-4)
        assert group.delta_bits == pytest.approx(exact.delta_bits, abs=1e-4)
        assert group.margin_bits == pytest.approx(exact.margin_bits, rel=0.5), "independent, so about the same"


def test_interval_includes_correlation():
    """One stretch in four is harder for A: characters are not independent."""
    text = "abcdefgh" * 400
    a = np.where(np.arange(len(text)) * STRETCHES // len(text) % 4 == 0, 2.0, 1.0)
    (total, *_) = difference_by_kind(stored(text, a), stored(text, np.ones(len(text))))
    assert total.delta_bits == pytest.approx(0.25)
    expected = statistics.stdev([1.0] * 8 + [0.0] * 24) / math.sqrt(32)
    assert total.margin_bits == pytest.approx(2.0395 * expected, rel=1e-3)


def test_records_of_two_texts_are_not_compared():
    a, b = (stored(text, np.ones(len(text))) for text in (TEXT, TEXT[:-1]))
    with pytest.raises(ValueError, match="not measured on the same text"):
        difference_by_kind(a, b)
    unknown = AnalysisRecord({}, {"kinds": {"kind": ["x"], "stretch": [0], "characters": [1], "bits": [1]}})
    with pytest.raises(ValueError, match="unknown class of characters"):
        difference_by_kind(a, unknown)
