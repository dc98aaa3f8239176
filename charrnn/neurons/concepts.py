"""
Concepts: functions that label each character of a text.

A label is bool, a value a float. Both describe the character just read and may look at the whole text, including what
follows.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from charrnn.char_classes import MARKS, SPEAKER_LINE, WORD

LINE_START_CHARS = 5
QUOTES = {"“": "”", "«": "»", '"': '"'}
BRACKETS = {"(": ")", "[": "]"}
VOWELS = frozenset("aeiouAEIOU")
APOSTROPHES, SENTENCE_ENDS = frozenset("'’"), frozenset(".!?")
FIRST_WORD = re.compile(r"(?:\A|[.!?:]['\"”]?\s+|\n\n)['\"“(]?([^\W\d_]+(?:'[^\W\d_]+)*)")
WORD_IN_CAPITALS = re.compile(r"\b[A-Z]{2,}\b")


class Concept(NamedTuple):
    """
    A named function that maps a text of N characters to labels or values (N,).

    labels: bool; values: float. meaning: one line for the page.
    """

    name: str
    meaning: str
    of: Callable[[str], np.ndarray]


# ------------------------------------------------------------------------------------------------ building blocks


def char_label(test: Callable[[str], bool]) -> Callable[[str], np.ndarray]:
    """Return a label that tests each character by itself."""
    return lambda text: np.fromiter(map(test, text), bool, len(text))


def covered(length: int, spans: Iterable[tuple[int, int]]) -> np.ndarray:
    """Return which characters lie inside a span [first, end): bool (length,)."""
    steps = np.zeros(length + 1, int)
    for first, end in spans:
        steps[first] += 1
        steps[end] -= 1
    return steps[:-1].cumsum() > 0


def matches(pattern: re.Pattern[str], group: int = 0) -> Callable[[str], np.ndarray]:
    """Return a label for the characters that a pattern, or its group, matches."""
    return lambda text: covered(len(text), (found.span(group) for found in pattern.finditer(text)))


def since_last(starts: np.ndarray) -> np.ndarray:
    """
    Return the distance to the last start (N,); 0 at a start.

    The beginning of the text counts as a start.
    """
    positions = np.arange(len(starts))
    return positions - np.maximum.accumulate(np.where(starts, positions, 0))


def line_starts(text: str) -> np.ndarray:
    """Label the first character of each line."""
    newline = char_label("\n".__eq__)(text)
    return np.concatenate([[True], newline[:-1]])[: len(text)]


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return the span of each word, first to last letter, apostrophes included."""
    spans = []
    for run in WORD.finditer(text):
        letters = run.group().strip("'")
        if letters:
            first = run.start() + run.group().index(letters[0])
            spans.append((first, first + len(letters)))
    return spans


def between(marks: dict[str, str]) -> Callable[[str], np.ndarray]:
    """
    Return a label from an opening mark up to its closing one, that excluded.

    marks: closing mark by opening mark. An empty line ends the label too.
    """

    def label(text: str) -> np.ndarray:
        inside, closing = np.zeros(len(text), bool), ""
        for i, character in enumerate(text):
            if closing and (character == closing or text[i - 1 : i + 1] == "\n\n"):
                closing = ""
            elif not closing:
                closing = marks.get(character, "")
            inside[i] = bool(closing)
        return inside

    return label


def sentence_starts(text: str) -> np.ndarray:
    """Label the first letter of each sentence."""
    return covered(len(text), ((found.start(1), found.start(1) + 1) for found in FIRST_WORD.finditer(text)))


def line_of_speech(text: str) -> np.ndarray:
    """Return the number of lines since the last empty line."""
    newline = char_label("\n".__eq__)(text)
    lines = np.concatenate([[0], newline[:-1].cumsum()])[: len(text)]
    empty = newline & line_starts(text)
    return lines - np.maximum.accumulate(np.where(empty, lines, 0))


def word_ends(text: str) -> np.ndarray:
    """Label the last letter of each word."""
    return covered(len(text), ((end - 1, end) for _, end in word_spans(text)))


def position_in_word(text: str) -> np.ndarray:
    """Return 1, 2, … for the letters of a word; 0 outside words."""
    positions = np.zeros(len(text))
    for first, end in word_spans(text):
        positions[first:end] = np.arange(1, end - first + 1)
    return positions


# ------------------------------------------------------------------------------------------------ the bank

NEWLINE = char_label("\n".__eq__)
LABELS = (
    Concept("newline", "the character is a newline", NEWLINE),
    Concept("line start", "the first character of a line", line_starts),
    Concept(
        "after newline",
        f"one of a line's first {LINE_START_CHARS}",
        lambda text: since_last(line_starts(text)) < LINE_START_CHARS,
    ),
    Concept("line end", "a newline comes next", lambda text: NEWLINE(text[1:] + " ")[: len(text)]),
    Concept("empty line", "a newline right after a newline", lambda text: NEWLINE(text) & line_starts(text)),
    Concept("speaker name", "a name alone on its line, with its colon", matches(SPEAKER_LINE)),
    Concept("capital", "a capital letter", char_label(str.isupper)),
    Concept("word in capitals", "two capitals or more side by side", matches(WORD_IN_CAPITALS)),
    Concept("vowel", "a, e, i, o or u", char_label(VOWELS.__contains__)),
    Concept("double letter", "the same letter as the one before", matches(re.compile(r"(?<=([^\W\d_]))\1"))),
    Concept("word start", "the first letter of a word", lambda text: position_in_word(text) == 1),
    Concept("word end", "the last letter of a word", word_ends),
    Concept("inside a word", "any letter of a word but the first", lambda text: position_in_word(text) > 1),
    Concept("first word", "the first word of a sentence", matches(FIRST_WORD, 1)),
    Concept("space", "a blank", char_label(" ".__eq__)),
    Concept("punctuation", "a mark: , . ; : ! ? ' and their like", char_label(MARKS.__contains__)),
    Concept("sentence end", "a full stop, ! or ?", char_label(SENTENCE_ENDS.__contains__)),
    Concept("apostrophe", "an apostrophe", char_label(APOSTROPHES.__contains__)),
    Concept("digit", "a digit", char_label(str.isdigit)),
    Concept("inside quotes", "between “ and ”, or two straight double quotes", between(QUOTES)),
    Concept("inside brackets", "between ( and ), or [ and ]", between(BRACKETS)),
)
VALUES = (
    Concept("position in line", "characters since the line began", lambda text: since_last(line_starts(text)) * 1.0),
    Concept("position in word", "which letter of its word: 1, 2, …; 0 outside", position_in_word),
    Concept("position in sentence", "since its first letter", lambda text: since_last(sentence_starts(text)) * 1.0),
    Concept("line of the speech", "lines since the last empty one", lambda text: line_of_speech(text) * 1.0),
)
BANK = LABELS + VALUES
