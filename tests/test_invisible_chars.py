"""Invisible characters have visible, unique signs."""

import unicodedata

import pytest

from charrnn.invisible_chars import quoted, sign

SIGNS = {
    " ": ("␣", "“␣”"),
    "\n": ("⏎", "“⏎”"),
    "\r": ("␍", "“␍” (U+000D)"),
    "\x1b": ("␛", "“␛” (U+001B)"),
    "\x7f": ("␡", "“␡” (U+007F)"),
    "\xa0": ("⍽", "“⍽” (U+00A0)"),
    "\u200b": ("U+200B", "“U+200B”"),
    "\ufeff": ("U+FEFF", "“U+FEFF”"),
    "\u200f": ("U+200F", "“U+200F”"),
    "\u2028": ("U+2028", "“U+2028”"),
    "\u0301": ("◌\u0301", "“◌\u0301” (U+0301)"),
    "\ufe0f": ("U+FE0F", "“U+FE0F”"),
    "\u3164": ("U+3164", "“U+3164”"),
    "\U0010ffff": ("U+10FFFF", "“U+10FFFF”"),
    "é": ("é", "“é”"),
    "🙂": ("🙂", "“🙂”"),
}


@pytest.mark.parametrize("character", SIGNS, ids=lambda character: f"U+{ord(character):04X}")
def test_character_has_sign_and_name(character):
    assert (sign(character), quoted(character)) == SIGNS[character]


def test_signs_are_unique_and_visible():
    characters = [chr(point) for point in (*range(0xD800), *range(0xE000, 0x11000))]
    signs = [sign(character) for character in characters]
    assert len(set(signs)) == len(signs) - 35  # the signs of 30 controls and 5 others are characters, too
    assert all(unicodedata.category(each[0])[0] in "LNPS" for each in signs)
