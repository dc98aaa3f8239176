"""Make text safe to print: no character of it can move a terminal's cursor, colour it or reorder a line."""

import re
import unicodedata

JOINERS = "\u200c\u200d"  # part of Persian words and of emoji
ODD = re.compile(r"[^\x20-\x7e]")


def printable(text: object, keep: str = "") -> str:
    r"""
    Replace every character that is not printable by its escape (`\x1b`), but for those in `keep`.

    With the default the result is one line. Joiners and the spaces of any script stay as they are.
    """
    return ODD.sub(lambda match: _shown(match[0], keep), str(text))


def _shown(character: str, keep: str) -> str:
    if character.isprintable() or character in keep or character in JOINERS:
        return character
    return character if unicodedata.category(character) == "Zs" else ascii(character)[1:-1]
