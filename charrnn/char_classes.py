"""Character classes of a text: mutually exclusive and complete."""

import re

NEWLINE, SPACE, SPEAKER, LINE_START = "newline", "space", "capital in a speaker's name", "first letter of a line"
WORD_START, WITHIN, PUNCTUATION = "letter that starts a word", "letter within a word", "punctuation"
OTHER = "digit or other sign"
KINDS = (LINE_START, WORD_START, WITHIN, SPEAKER, SPACE, NEWLINE, PUNCTUATION, OTHER)

# A speaker's name is alone on a line after an empty one and ends with a colon: "First Citizen:".
SPEAKER_LINE = re.compile(r"(?:\A|(?<=\n\n))[^\W\d_a-z][^\n:]{0,39}:(?=\n|\Z)")
WORD = re.compile(r"(?:[^\W\d_]|')+")  # as in text_quality
MARKS = frozenset("!\"'(),-.:;?[]{}‘’“”–—…")


def kinds(text: str) -> list[str]:
    """Return the class of each character; letters also depend on their position."""
    word_starts, speakers = _word_starts(text), _in_speakers(text)
    return [_kind(text, i, i in word_starts, i in speakers) for i in range(len(text))]


def _kind(text: str, i: int, starts_word: bool, in_speaker: bool) -> str:
    character = text[i]
    if character == "\n":
        return NEWLINE
    if character.isspace():
        return SPACE
    if character.isalpha():
        if in_speaker and character.isupper():
            return SPEAKER
        if not starts_word:
            return WITHIN
        return LINE_START if _begins_line(text, i) else WORD_START
    return PUNCTUATION if character in MARKS else OTHER


def _word_starts(text: str) -> set[int]:
    """Return the indices of words' first letters; o'er and 'tis are words."""
    starts = set()
    for run in WORD.finditer(text):
        letters = run.group().lstrip("'")
        if letters:
            starts.add(run.end() - len(letters))
    return starts


def _in_speakers(text: str) -> set[int]:
    return {i for line in SPEAKER_LINE.finditer(text) for i in range(*line.span())}


def _begins_line(text: str, i: int) -> bool:
    before = text[text.rfind("\n", 0, i) + 1 : i]
    return not any(character.isalpha() for character in before)
