"""Character classes depend on the position and cover every character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import text_quality
from charrnn.char_classes import (
    KINDS,
    LINE_START,
    NEWLINE,
    OTHER,
    PUNCTUATION,
    SPACE,
    SPEAKER,
    WITHIN,
    WORD_START,
    kinds,
)

SIGNS = {
    "L": LINE_START,
    "w": WORD_START,
    "-": WITHIN,
    "S": SPEAKER,
    "_": SPACE,
    "n": NEWLINE,
    ".": PUNCTUATION,
    "?": OTHER,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ROMEO:\nAy me!\n", "SSSSS.nL-_w-.n"),
        ("Hi.\n\nFirst Citizen:\nYou", "L-.nnS----_S------.nL--"),
        ("So he said:\nNo", "S-_w-_w---.nL-"),  # a speaker at the start of the text
        ("x\nSo he said:\nNo", "LnL-_w-_w---.nL-"),  # a speaker needs an empty line before
        ("o'er 'tis James'", "L.--_.w--_w----."),
        ("  'Tis 3 & £", "__.L--_?_?_?"),
        ("a-b É9c", "L.w_w?w"),
        ("\t\n", "_n"),
        ("ROMEO", "L----"),
        ("KING RICHARD III:", "SSSS_SSSSSSS_SSS."),
        ("lower:\na", "L----.nL"),
    ],
)
def test_char_class_depends_on_position(text: str, expected: str):
    assert "".join({kind: sign for sign, kind in SIGNS.items()}[kind] for kind in kinds(text)) == expected


@given(st.text(max_size=200))
def test_every_character_has_one_class(text: str):
    classes = kinds(text)
    assert len(classes) == len(text) and set(classes) <= set(KINDS)
    for character, kind in zip(text, classes, strict=True):
        assert (kind == NEWLINE) == (character == "\n")
        assert (kind in (LINE_START, WORD_START, WITHIN, SPEAKER)) == character.isalpha()
        assert kind != SPEAKER or character.isupper()


@given(st.text("aB' \n.", max_size=200))
def test_word_starts_match_word_count(text: str):
    assert sum(kind in (LINE_START, WORD_START) for kind in kinds(text)) == len(text_quality.words(text))
