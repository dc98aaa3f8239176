"""Values on the command line: numbers, each with its range, and paths."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.ranges import Range
from charrnn.seeds import SEEDS
from charrnn.training import LIMITS as OF_TRAINING


@dataclass(frozen=True)
class Number:
    """The type of a numeric flag, for argparse: its error names the value and both limits."""

    limits: Range

    def __call__(self, word: str) -> Any:
        try:
            return self.limits.read("it", word)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None


COUNT = Number(Range(1, 10**7, whole=True))  # of anything that is counted
THREADS = Number(Range(1, 4096, whole=True))
WIDTH = Number(OF_TRAINING["hidden_dim"])
WINDOW = Number(OF_TRAINING["seq_len"])  # characters of a window, or windows of a batch
SEED = Number(SEEDS)
SECONDS = Number(Range(0.1, 10**6))


def path(word: str) -> Path:
    """The type of a flag for a file or folder; an empty word names none, and not the current folder."""
    return Path(name_or_path(word))


def name_or_path(word: str) -> str:
    """The same for what may be a name, of a checkpoint or of a repository, too."""
    if not word:
        raise argparse.ArgumentTypeError("it is empty: give a path")
    return word
