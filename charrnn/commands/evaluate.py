"""
Recompute the losses of checkpoints and compare them with their metadata.

    python scripts/evaluate.py checkpoints/*                        on Tiny Shakespeare, downloaded once
    python scripts/evaluate.py checkpoints/mine --data mine.txt     on the text it was trained on

A row for each, losses in nats per character; bits and perplexity are those of `stream`.

- train: the mean over some random minibatches of the training text, each from a zero state. (The loss recorded in
  training differs: it is the mean over the last updates, with dropout and, if stateful, a carried state.)
- stream: the validation text as 64 contiguous streams, the state carried from start to end.
- cold: windows of 256 characters of the validation text, each from a zero state.
- untrained: the weights of step 0, if they were saved; chance is ln of the number of characters.

Exit code 1 if `stream` or `cold` differs from the recorded figure by more than 0.001 nats, 2 for bad input.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from charrnn import checkpoint
from charrnn.corpus import Corpus, random_windows, read_text, tiny_shakespeare
from charrnn.flag_types import path
from charrnn.metrics import bits_per_char, perplexity
from charrnn.script_runner import script_parser
from charrnn.training import evaluate_cold, evaluate_stream, loss_nats

TOLERANCE_NATS = 1e-3
TRAIN_BATCHES = 20
COLUMNS = ("train", "stream", "recorded", "cold", "recorded", "bits", "perplexity", "untrained")


@dataclass(frozen=True)
class Evaluation:
    """Losses of a checkpoint in nats; None if not measured or not recorded."""

    name: str
    train_nats: float
    stream_nats: float
    cold_nats: float
    untrained_nats: float | None
    recorded_stream_nats: float | None
    recorded_cold_nats: float | None

    @property
    def differing(self) -> dict[str, float]:
        """Validation losses that differ from the recorded ones, with the difference."""
        pairs = {
            "val stream": (self.stream_nats, self.recorded_stream_nats),
            "val cold": (self.cold_nats, self.recorded_cold_nats),
        }
        drifts = {
            name: abs(measured - recorded) for name, (measured, recorded) in pairs.items() if recorded is not None
        }
        return {name: drift for name, drift in drifts.items() if not drift <= TOLERANCE_NATS}

    def row(self) -> str:
        """Format a line under COLUMNS."""
        losses = (self.train_nats, self.stream_nats, self.recorded_stream_nats, self.cold_nats, self.recorded_cold_nats)
        figures = (*losses, bits_per_char(self.stream_nats), perplexity(self.stream_nats), self.untrained_nats)
        return _line(self.name, ["" if figure is None else f"{figure:.4f}" for figure in figures])


def evaluate(folder: Path, text: str) -> Evaluation:
    """
    Measure every loss of a checkpoint on a text.

    Recorded losses are used only if the checkpoint was trained on this text. Raises ValueError if a loss cannot be
    measured.
    """
    trained = checkpoint.load(folder)
    info = trained.info
    batch, seq_len = (_size(info, name) for name in ("batch", "seq_len"))
    corpus = Corpus.from_text(text, trained.vocab).require(seq_len + 1)
    recorded = info.metrics if corpus.sha256 == info.data_sha256 else {}
    untrained = checkpoint.load(folder, 0) if info.saved_steps[0] == 0 != info.step else None
    return Evaluation(
        name=info.name,
        train_nats=_train_loss(trained, corpus, batch, seq_len),
        stream_nats=evaluate_stream(trained.model, corpus.val_ids),
        cold_nats=evaluate_cold(trained.model, corpus.val_ids),
        untrained_nats=untrained and _train_loss(untrained, corpus, batch, seq_len),
        recorded_stream_nats=recorded.get("val_stream_nats"),
        recorded_cold_nats=recorded.get("val_cold_nats"),
    )


@torch.no_grad()
def _train_loss(trained: checkpoint.Checkpoint, corpus: Corpus, batch: int, seq_len: int) -> float:
    rng = torch.Generator().manual_seed(0)
    losses = [
        loss_nats(trained.model, *random_windows(corpus.train_ids, batch, seq_len, rng))[0].item()
        for _ in range(TRAIN_BATCHES)
    ]
    return sum(losses) / len(losses)


def _size(info: checkpoint.CheckpointInfo, name: str) -> int:
    value = info.recipe.get(name)
    if type(value) is not int or not 1 <= value <= 65536:
        raise ValueError(f"the recipe in {info.folder} has the {name} {value!r}: 1 to 65536 can be measured with")
    return value


def _line(name: str, figures: Sequence[str]) -> str:
    return f"{name:20}" + "".join(f"{figure:>11}" for figure in figures)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the folders and the text."""
    parser = script_parser(__doc__)
    parser.add_argument("folders", type=path, nargs="+", metavar="FOLDER", help="a checkpoint folder")
    parser.add_argument("--data", type=path, help="the text they were trained on (default: Tiny Shakespeare)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for each folder and return the exit code."""
    options = parse(arguments)
    try:
        text = read_text(options.data) if options.data else tiny_shakespeare()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(_line("", COLUMNS), flush=True)
    code = 0
    for folder in options.folders:
        try:
            evaluation = evaluate(folder, text)
        except ValueError as error:
            print(error, file=sys.stderr, flush=True)
            code = 2
            continue
        print(evaluation.row(), flush=True)
        if evaluation.differing:
            names = ", ".join(f"{name} by {drift:.4f}" for name, drift in evaluation.differing.items())
            print(f"{folder} records other losses: {names} nats", file=sys.stderr, flush=True)
            code = code or 1
    characters = len(set(text))
    print(f"by chance, ln {characters}: {math.log(characters):.4f}")
    return code
