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
    CONTEXTS,
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


def drawn(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2, size=n)


def difference(text: str, seed: int = 0) -> Difference:
    return Difference(text, drawn(seed, len(text)), drawn(seed + 1, len(text)))


@pytest.mark.parametrize("name", list(SMALL))
@pytest.mark.parametrize("piece", [1, 7, 256])
def test_surprisals_match_plain_loop(name: str, piece: int):
    decoder, ids = build_model(SMALL[name], len(VOCAB)).decoder(), VOCAB.encode(TEXT)
    output, expected = decoder.prefill([]), []
    for id in ids:
        weights = [math.exp(logit) for logit in output.logits.tolist()]
        expected.append(-math.log2(weights[id] / sum(weights)))
        output = decoder.step(id, output.state)
    got = np.concatenate(list(surprisals(decoder, ids, piece)))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)  # MiniGPT reads many at once in float32


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
    one = difference(text, seed)
    whole = one.whole()
    assert (whole.characters, whole.delta_bits) == (len(text), pytest.approx(one.delta_bits.mean()))
    for groups in (one.by_kind(), one.by_context()):
        assert sum(group.characters for group in groups) == len(text)
        for name in ("a_bits", "b_bits", "delta_bits"):
            weighted = sum(group.characters * getattr(group, name) for group in groups) / len(text)
            assert weighted == pytest.approx(getattr(whole, name))
        assert all(group.delta_bits == pytest.approx(group.a_bits - group.b_bits) for group in groups)


def test_context_groups_are_positions():
    one = difference("a" * 300)
    groups = one.by_context()
    assert [(group.name, group.characters) for group in groups] == [
        ("1–8", 8),
        ("9–16", 8),
        ("17–32", 16),
        ("33–64", 32),
        ("65–128", 64),
        ("129–256", 128),
        ("257+", 44),
    ]
    assert groups[2].a_bits == pytest.approx(sum(one.a_bits.tolist()[16:32]) / 16)
    assert [group.name for group in difference("abcdefghi").by_context()] == ["1–8", "9–16"]
    assert len(CONTEXTS) == 7


def test_standard_error_is_that_of_differences():
    one = difference("a" * 8)
    (group,) = one.by_context()
    delta = one.delta_bits.tolist()
    mean = sum(delta) / 8
    assert group.error_bits == pytest.approx(math.sqrt(sum((d - mean) ** 2 for d in delta) / 7 / 8))
    assert difference("a").whole().error_bits is None


@pytest.mark.parametrize("lengths", [(0, 0, 0), (2, 1, 2), (2, 2, 3)])
def test_difference_needs_equal_lengths(lengths: tuple[int, int, int]):
    n, a, b = lengths
    with pytest.raises(ValueError, match=f"{n} characters, {a} and {b} surprisals"):
        Difference("x" * n, np.ones(a), np.ones(b))


def kept(text: str, bits: np.ndarray) -> AnalysisRecord:
    return AnalysisRecord.from_json(json.loads(kind_record(text, bits).as_json()))


def test_kept_difference_matches_characters():
    text = TEXT * 40
    whole = difference(text)
    found = difference_by_kind(kept(text, whole.a_bits), kept(text, whole.b_bits))
    for group, exact in zip(found, [whole.whole(), *whole.by_kind()], strict=True):
        assert (group.name, group.characters) == (exact.name, exact.characters)
        assert group.a_bits == pytest.approx(exact.a_bits, abs=1e-4)
        assert group.delta_bits == pytest.approx(exact.delta_bits, abs=1e-4)
        assert group.error_bits == pytest.approx(exact.error_bits, rel=0.5), "drawn independently, so about the same"


def test_stretch_error_includes_correlation():
    """One stretch in four is harder for A: characters are not independent."""
    text = "abcdefgh" * 400
    a = np.where(np.arange(len(text)) * STRETCHES // len(text) % 4 == 0, 2.0, 1.0)
    (all_of_it, *_) = difference_by_kind(kept(text, a), kept(text, np.ones(len(text))))
    assert all_of_it.delta_bits == pytest.approx(0.25)
    by_hand = statistics.stdev([1.0] * 8 + [0.0] * 24) / math.sqrt(32)
    assert all_of_it.error_bits == pytest.approx(by_hand, rel=1e-3)


def test_records_of_two_texts_are_not_compared():
    a, b = (kept(text, drawn(0, len(text))) for text in (TEXT, TEXT[:-1]))
    with pytest.raises(ValueError, match="not measured on the same text"):
        difference_by_kind(a, b)
    with pytest.raises(ValueError, match="unknown class of characters"):
        difference_by_kind(
            a, AnalysisRecord({}, {"kinds": {"kind": ["x"], "stretch": [0], "characters": [1], "bits": [1]}})
        )
