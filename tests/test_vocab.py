"""Vocabularies: encoding, unknown characters, default prompts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.vocab import UnknownCharacterError, Vocab


@given(st.text(min_size=1))
def test_decode_inverts_encode(text):
    vocab = Vocab.from_text(text)
    assert vocab.decode(vocab.encode(text)) == text


def test_vocabulary_is_sorted_set():
    assert Vocab.from_text("to be\n").characters == "\n beot"


def test_unknown_character_is_named_with_position():
    with pytest.raises(UnknownCharacterError, match=r"'é' at position 2") as caught:
        Vocab("abc").encode("abéa")
    assert (caught.value.character, caught.value.position) == ("é", 2)


def test_unknown_characters_are_named_up_to_bound():
    with pytest.raises(UnknownCharacterError) as caught:
        Vocab("abc").encode("aéb€é")
    assert "the characters 'é' at position 1, '€' at position 3; leave them out" in str(caught.value)
    with pytest.raises(UnknownCharacterError, match="'h' at position 7 and 9 others; leave them out") as caught:
        Vocab("!").encode("abcdefghijklmnopq" * 1000)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("characters", "prompt"),
    [("EMOR:\n ", "ROMEO:\n"), ("\n abc", "\n"), ("ROab", "ROO"), ("\t\x1bab", "a"), (" ab", " "), ("\x1b", "\x1b")],
)
def test_default_prompt_is_in_vocabulary(characters, prompt):
    assert Vocab(characters).default_prompt("ROMEO:\n") == prompt


def test_unknown_characters_are_dropped_and_reported():
    assert Vocab("abc").drop_unknown("a!b?") == ("ab", [(1, "!"), (3, "?")])


@pytest.mark.parametrize("characters", ["", "aba"])
def test_invalid_vocabulary_is_refused(characters):
    with pytest.raises(ValueError):
        Vocab(characters)
