"""
What a written text is worth, by counting: are its words words, is it varied, does it go in circles, is it copied.

No single figure is good by itself. A text of true words may be one sentence over and over, a varied one may be noise:
compare all of them with those of a text that people wrote, of the same length.
"""

import re
from dataclasses import dataclass

SHORT, LONG = 4, 16  # characters: a piece of a word, and about three words
WORD = re.compile(r"(?:[^\W\d_]|')+")


@dataclass(frozen=True)
class TextQuality:
    """
    Shares, 0 to 1. known_words: of the words, those that the reference has too. distinct_4grams: different ones among
    all runs of 4 characters (distinct-n, Li et al. 2016). repetition: runs of 16 characters that stood in the same text
    before (seq-rep-n, Welleck et al. 2020). copied: runs of 16 characters that stand in the reference.

    The counts of different runs depend on the length: compare texts of as many characters.
    """

    characters: int
    words: int
    known_words: float  # 0 where there is no word
    distinct_4grams: float
    repetition: float
    copied: float


class Reference:
    """The text that others are compared with: its words and its long runs of characters."""

    def __init__(self, text: str):
        self.words = set(words(text))
        self.runs = set(runs(text, LONG))

    def judge(self, text: str) -> TextQuality:
        """The quality of a written text. Raises ValueError for one that is shorter than a long run."""
        if len(text) < LONG:
            raise ValueError(f"the text has {len(text)} characters: give {LONG} or more")
        written, long_runs = words(text), runs(text, LONG)
        return TextQuality(
            characters=len(text),
            words=len(written),
            known_words=sum(word in self.words for word in written) / max(1, len(written)),
            distinct_4grams=distinct(text, SHORT),
            repetition=1 - distinct(text, LONG),
            copied=sum(run in self.runs for run in long_runs) / len(long_runs),
        )


def words(text: str) -> list[str]:
    """Its maximal runs of letters and apostrophes, in lower case; a run of apostrophes alone is no word."""
    return [run.lower() for run in WORD.findall(text) if run.strip("'")]


def runs(text: str, n: int) -> list[str]:
    """All its runs of n characters, one at each position."""
    return [text[i : i + n] for i in range(len(text) - n + 1)]


def distinct(text: str, n: int) -> float:
    """The share of different ones among the runs of n characters of a text that has any."""
    every = runs(text, n)
    return len(set(every)) / len(every)
