"""Descriptions of figures as sentences, each about some of the models."""

from collections.abc import Sequence
from typing import NamedTuple


class Sentence(NamedTuple):
    """A sentence, and the checkpoint names of the models it is about; empty: all."""

    text: str
    models: tuple[str, ...] = ()


def text_of(sentences: Sequence[Sentence]) -> str:
    """Join sentences."""
    return " ".join(sentence.text for sentence in sentences)
