import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.vocab import UnknownCharacterError, Vocab


@given(st.text(min_size=1))
def test_decode_undoes_encode(text):
    vocab = Vocab.from_text(text)
    assert vocab.decode(vocab.encode(text)) == text


def test_the_vocabulary_is_the_sorted_set_of_the_text():
    assert Vocab.from_text("to be\n").characters == "\n beot"


def test_an_unknown_character_is_named_with_its_position():
    with pytest.raises(UnknownCharacterError, match=r"'é' at position 2") as caught:
        Vocab("abc").encode("abéa")
    assert (caught.value.character, caught.value.position) == ("é", 2)


def test_unknown_characters_are_dropped_and_reported():
    assert Vocab("abc").drop_unknown("a!b?") == ("ab", [(1, "!"), (3, "?")])


@pytest.mark.parametrize("characters", ["", "aba"])
def test_an_empty_or_repeating_vocabulary_is_refused(characters):
    with pytest.raises(ValueError):
        Vocab(characters)
