"""Visible signs for invisible characters, equal to those of the page's JavaScript."""

import re
import unicodedata

COMMON = {" ": "␣", "\n": "⏎", "\t": "⇥"}
SIGNS = (
    COMMON | {"\x7f": "␡", "\xa0": "⍽"} | {chr(code): chr(0x2400 + code) for code in range(32) if code not in (9, 10)}
)
# Invisible characters: Unicode's Default_Ignorable_Code_Point, which Python lacks.
BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def sign(character: str) -> str:
    """Return a visible form of a character: itself, or a sign if it is invisible."""
    category = unicodedata.category(character)[0]
    if character in SIGNS:
        return SIGNS[character]
    if category in "CZ" or BLANK.fullmatch(character):
        return code_point(character)
    return "◌" + character if category == "M" else character


def quoted(character: str) -> str:
    """Quote a character for a sentence, with its code point if the sign is ambiguous."""
    visible = sign(character)
    is_clear = visible == character or character in COMMON or visible == code_point(character)
    return f"“{visible}”" if is_clear else f"“{visible}” ({code_point(character)})"


def code_point(character: str) -> str:
    """Return the code point of a character in Unicode's notation, `U+00A0`."""
    return f"U+{ord(character):04X}"
