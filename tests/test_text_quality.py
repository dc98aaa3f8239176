"""Shares of known words, repetition and copied text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.text_quality import LONG, Reference, distinct, words

CORPUS = "The King's men, o'er the sea;\n'Tis true: they fought, and 'twas well they did.\n"
written = st.text(alphabet="abT' \n.;", min_size=LONG, max_size=120)


def test_words_are_letters_and_apostrophes():
    expected = ["the", "king's", "men", "o'er", "sea", "'tis", "éa", "b"]
    assert words("The King's men, o'er--sea; 'tis ''\n3 Éa_b") == expected


def test_known_words_ignore_case():
    quality = Reference(CORPUS).score_text("THE king's xyz, the men the qqq")
    assert (quality.words, quality.known_words) == (7, pytest.approx(5 / 7))
    assert quality.copied == 0


def test_repeated_character_is_all_repetition():
    quality = Reference(CORPUS).score_text("z" * 100)
    assert quality.distinct_4grams == pytest.approx(1 / 97)
    assert quality.repetition == pytest.approx(84 / 85)
    assert (quality.words, quality.known_words) == (1, 0)


def test_text_without_words_knows_none():
    assert Reference(CORPUS).score_text("\n'' ;;..  \n\n  '' ..").known_words == 0


@given(written, written)
def test_quality_shares_match_plain_count(text, corpus):
    quality = Reference(corpus).score_text(text)
    starts = range(len(text) - LONG + 1)
    repeated = sum(text.find(text[i : i + LONG]) < i for i in starts)
    assert quality.repetition == pytest.approx(repeated / len(starts))
    assert quality.copied == pytest.approx(sum(text[i : i + LONG] in corpus for i in starts) / len(starts))
    known = [word for word in words(text) if word in words(corpus)]
    assert quality.known_words == pytest.approx(len(known) / max(1, quality.words))
    assert distinct(text, 4) == quality.distinct_4grams and 0 < quality.distinct_4grams <= 1


def test_text_too_short_for_run_is_refused():
    with pytest.raises(ValueError, match="15 characters"):
        Reference(CORPUS).score_text("a" * 15)
