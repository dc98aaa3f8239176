"""
Text quality by counting: known words, variety, repetition, copying.

No single number is sufficient. Known words may be one sentence repeated, and a varied text may be noise: compare all
of them with those of human text of the same length.
"""

import re
from dataclasses import dataclass

SHORT, LONG = 4, 16  # characters: part of a word, and about three words
WORD = re.compile(r"(?:[^\W\d_]|')+")


@dataclass(frozen=True)
class TextQuality:
    """
    Shares, 0 to 1, of a text.

    known_words: words that also occur in the reference. distinct_4grams: distinct ones among all 4-grams of
    characters (distinct-n, Li et al. 2016). repetition: 16-grams that occurred earlier in the text (seq-rep-n,
    Welleck et al. 2020). copied: 16-grams that occur in the reference.

    The counts depend on the length: compare texts of equal length.
    """

    characters: int
    words: int
    known_words: float  # 0 if there is no word
    distinct_4grams: float
    repetition: float
    copied: float


class Reference:
    """The words and long n-grams of a reference text."""

    def __init__(self, text: str):
        self.words = set(words(text))
        self.long_ngrams = set(ngrams(text, LONG))

    def score_text(self, text: str) -> TextQuality:
        """Score a text. Raises ValueError if it is shorter than 16 characters."""
        if len(text) < LONG:
            raise ValueError(f"the text has {len(text)} characters: give {LONG} or more")
        found, long_ngrams = words(text), ngrams(text, LONG)
        return TextQuality(
            characters=len(text),
            words=len(found),
            known_words=sum(word in self.words for word in found) / max(1, len(found)),
            distinct_4grams=distinct(text, SHORT),
            repetition=1 - distinct(text, LONG),
            copied=sum(ngram in self.long_ngrams for ngram in long_ngrams) / len(long_ngrams),
        )


def words(text: str) -> list[str]:
    """
    Return the maximal runs of letters and apostrophes, in lower case.

    A run of only apostrophes is no word.
    """
    return [run.lower() for run in WORD.findall(text) if run.strip("'")]


def ngrams(text: str, n: int) -> list[str]:
    """Return all n-grams of characters, one per position."""
    return [text[i : i + n] for i in range(len(text) - n + 1)]


def distinct(text: str, n: int) -> float:
    """Return the share of distinct n-grams; the text has at least one."""
    found = ngrams(text, n)
    return len(set(found)) / len(found)
