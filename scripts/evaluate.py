"""
Measure a checkpoint again, from its file, and compare with what it says of itself.

    python scripts/evaluate.py checkpoints/rnn                      on Tiny Shakespeare, downloaded once
    python scripts/evaluate.py checkpoints/mine --data mine.txt     on the text it was trained on

Exit code 1 where a validation loss differs from the recorded one by more than 0.001 nats, 2 for bad input.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

import torch

from charrnn import checkpoint
from charrnn.corpus import Corpus, random_windows, read_text, tiny_shakespeare
from charrnn.metrics import bits_per_char, perplexity
from charrnn.training import evaluate_cold, evaluate_stream, loss_nats

TOLERANCE_NATS = 1e-3
TRAIN_BATCHES = 20


@dataclass(frozen=True)
class Measured:
    """One loss: found now, recorded then (None where the checkpoint does not say); `held` to be equal or not."""

    name: str
    found_nats: float
    recorded_nats: float | None
    held: bool = False

    @property
    def differs(self) -> bool:
        return self.held and self.recorded_nats is not None and self.drift_nats > TOLERANCE_NATS

    @property
    def drift_nats(self) -> float:
        return abs(self.found_nats - (self.recorded_nats or 0.0))


def evaluate(folder: Path, corpus_text: str) -> list[Measured]:
    """Every figure of the checkpoint, measured anew. Raises ValueError for what cannot be measured."""
    trained = checkpoint.load(folder)
    info = trained.info
    corpus = Corpus.from_text(corpus_text, trained.vocab).require(info.recipe["seq_len"] + 1)
    is_same_text = corpus.sha256 == info.data_sha256
    recorded = info.metrics if is_same_text else {}
    found = [
        Measured("train, minibatches", _train_loss(trained, corpus), recorded.get("train_loss_nats")),
        Measured("val stream", evaluate_stream(trained.model, corpus.val_ids), recorded.get("val_stream_nats"), True),
        Measured("val cold", evaluate_cold(trained.model, corpus.val_ids), recorded.get("val_cold_nats"), True),
    ]
    if info.saved_steps[0] == 0 != info.step:
        untrained = checkpoint.load(folder, 0)
        found.append(Measured("step 0, minibatches", _train_loss(untrained, corpus), recorded.get("initial_loss_nats")))
    return found


@torch.no_grad()
def _train_loss(trained: checkpoint.Checkpoint, corpus: Corpus) -> float:
    """The mean over some random minibatches of training text; the recorded one is a mean over the last updates."""
    batch, seq_len = trained.info.recipe["batch"], trained.info.recipe["seq_len"]
    rng = torch.Generator().manual_seed(0)
    losses = [
        loss_nats(trained.model, *random_windows(corpus.train_ids, batch, seq_len, rng))[0].item()
        for _ in range(TRAIN_BATCHES)
    ]
    return sum(losses) / len(losses)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the checkpoint folder")
    parser.add_argument("--data", type=Path, help="the text it was trained on (default: Tiny Shakespeare)")
    options = parser.parse_args(arguments)
    try:
        text = read_text(options.data) if options.data else tiny_shakespeare()
        found = evaluate(options.folder, text)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{'':20} {'nats':>8} {'bits':>8} {'perplexity':>11} {'recorded':>9}")
    for figure in found:
        nats = figure.found_nats
        recorded = "" if figure.recorded_nats is None else f"{figure.recorded_nats:.4f}"
        print(f"{figure.name:20} {nats:8.4f} {bits_per_char(nats):8.4f} {perplexity(nats):11.2f} {recorded:>9}")
    characters = len(set(text))
    print(f"{f'ln {characters}, by chance':20} {math.log(characters):8.4f}")
    if wrong := [figure for figure in found if figure.differs]:
        names = ", ".join(f"{figure.name} by {figure.drift_nats:.4f}" for figure in wrong)
        print(f"not what {options.folder} says of itself: {names} nats", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
