"""Escape control characters for terminals."""

import unicodedata

import pytest

from charrnn.checkpoint import CheckpointError
from charrnn.control_char_escapes import printable
from charrnn.corpus import CorpusError, read_text

REORDERING = "LRE RLE PDF LRO RLO LRI RLI FSI PDI".split()
TITLE = "\x1b]0;owned\x07\x1b[2J"


def test_printable_escapes_every_control_character():
    for character in map(chr, range(0x110000)):
        controls = unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs")
        reorders = unicodedata.bidirectional(character) in REORDERING
        if controls or reorders:
            assert printable(character) != character and printable(character).isascii(), hex(ord(character))
        if unicodedata.category(character)[0] in "LMNPS":
            assert printable(character) == character, hex(ord(character))


def test_printable_keeps_text_of_any_script():
    assert printable(TITLE + "a\nb\u202e") == r"\x1b]0;owned\x07\x1b[2Ja\nb\u202e"
    assert printable("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"
    for text in ("نمی\u200cدانم", "\U0001f469\u200d\U0001f680", "全角\u3000空白", "no\xa0break"):
        assert printable(text) == text


@pytest.mark.parametrize("error", [CheckpointError, CorpusError])
def test_errors_quoting_files_are_printable(error, tmp_path):
    assert str(error(f"cannot read {TITLE}\nx")) == "cannot read " + printable(TITLE + "\nx")
    with pytest.raises(CorpusError) as raised:
        read_text(tmp_path / TITLE)
    assert "\x1b" not in str(raised.value)
