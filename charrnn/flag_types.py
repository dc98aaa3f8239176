"""Types of command-line flags for argparse: numbers with a range, and paths."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.ranges import Range
from charrnn.seeds import SEEDS
from charrnn.training import LIMITS as TRAINING_LIMITS


@dataclass(frozen=True)
class Number:
    """argparse type of a numeric flag; its error names the value and both limits."""

    limits: Range

    def __call__(self, text: str) -> Any:
        try:
            return self.limits.read("it", text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None


COUNT = Number(Range(1, 10**7, whole=True))  # of items
THREADS = Number(Range(1, 4096, whole=True))
WIDTH = Number(TRAINING_LIMITS["hidden_dim"])
WINDOW = Number(TRAINING_LIMITS["seq_len"])  # characters per window, or windows per batch
SEED = Number(SEEDS)
SECONDS = Number(Range(0.1, 10**6))


def path(text: str) -> Path:
    """argparse type of a file or folder; an empty string is an error."""
    return Path(name_or_path(text))


def name_or_path(text: str) -> str:
    """argparse type of a path, or of the name of a checkpoint or repository."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty: give a path")
    return text
