"""Escape text so that it cannot control a terminal."""

import re
import unicodedata

JOINERS = "\u200c\u200d"  # part of Persian words and of emoji
NOT_ASCII_PRINTABLE = re.compile(r"[^\x20-\x7e]")


def printable(text: object, keep: str = "") -> str:
    """
    Replace each unprintable character by its escape, except those in `keep`.

    By default the result is one line. Joiners and spaces of any script are kept.
    """
    return NOT_ASCII_PRINTABLE.sub(lambda match: _escaped(match[0], keep), str(text))


def _escaped(character: str, keep: str) -> str:
    if character.isprintable() or character in keep or character in JOINERS:
        return character
    return character if unicodedata.category(character) == "Zs" else ascii(character)[1:-1]
