"""The parser of a script, and its argparse types: numbers with a range, and paths."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.ranges import Range
from charrnn.script_runner import as_run
from charrnn.seeds import SEEDS
from charrnn.training import LIMITS as OF_TRAINING


def script_parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser that prints a script's docstring as its help."""
    return argparse.ArgumentParser(description=as_run(doc), formatter_class=argparse.RawDescriptionHelpFormatter)


@dataclass(frozen=True)
class Number:
    """argparse type of a numeric flag; its error names the value and both limits."""

    limits: Range

    def __call__(self, word: str) -> Any:
        try:
            return self.limits.read("it", word)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None


COUNT = Number(Range(1, 10**7, whole=True))  # of anything counted
THREADS = Number(Range(1, 4096, whole=True))
WIDTH = Number(OF_TRAINING["hidden_dim"])
WINDOW = Number(OF_TRAINING["seq_len"])  # characters per window, or windows per batch
SEED = Number(SEEDS)
SECONDS = Number(Range(0.1, 10**6))


def path(word: str) -> Path:
    """argparse type of a file or folder; an empty string is an error."""
    return Path(name_or_path(word))


def name_or_path(word: str) -> str:
    """argparse type of a path, or of the name of a checkpoint or repository."""
    if not word:
        raise argparse.ArgumentTypeError("it is empty: give a path")
    return word
