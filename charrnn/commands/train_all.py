"""Train every recipe whose checkpoint is not finished: train.py --all."""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import asdict

from charrnn import checkpoint
from charrnn.checkpoint import RunIdentity, Verdict
from charrnn.commands.train_flags import NOT_BUNDLED, recipe_from_flags
from charrnn.commands.train_run import STOPPED, Outcome, print_block, train_one
from charrnn.commands.train_text import read_corpus, require_outside
from charrnn.corpus import TINY_SHAKESPEARE_SHA256, Corpus
from charrnn.paths import CHECKPOINTS
from charrnn.training import RECIPES, WorkQueue, is_distributed


def train_all(options: argparse.Namespace) -> int:
    """
    Train every recipe whose checkpoint is not finished and return the exit code.

    Under torchrun each process takes the next free recipe; results do not depend on the number of processes.
    """
    root, queue = options.out or CHECKPOINTS, WorkQueue()
    try:
        corpus = read_corpus(options.data)
        if not options.out and corpus.sha256 != TINY_SHAKESPEARE_SHA256:
            raise ValueError(f"--all with --data {options.data} {NOT_BUNDLED}")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    runs = {name: argparse.Namespace(**vars(options) | {"recipe": name, "out": root / name}) for name in RECIPES}
    failed = train_each(queue, runs, corpus, f"give another --out, or name it: --recipe NAME --out {root / 'NAME'}")
    if isinstance(failed, int):
        return failed
    if queue.rank > 0:
        return 0
    if failed or is_distributed():
        rows = [failed[name].row(name) if name in failed else table_row(checkpoint.load(root / name)) for name in runs]
        print_block("\n".join(rows))
    return exit_code(failed, len(runs))


def train_each(
    queue: WorkQueue, runs: Mapping[str, argparse.Namespace], corpus: Corpus, instead: str
) -> dict[str, Outcome] | int:
    """
    Train every unfinished run in turn -> the outcomes of those that failed.

    Returns only the exit code if a signal stopped one. instead: advice if a finished network is in the way.
    """
    for name in queue.share(runs):
        outcome = train_unless_done(runs[name], name, corpus, instead)
        if outcome.code:
            print(f"{name}: {outcome}", file=sys.stderr, flush=True)
        if outcome.code > STOPPED:
            return outcome.code
        if outcome.code:
            queue.report(name, f"{outcome.code} {outcome.reason}")
    queue.wait()
    reports = {name: report.partition(" ") for name, report in queue.reports(runs).items()}
    return {name: Outcome(int(code), reason) for name, (code, _, reason) in reports.items()}


def train_unless_done(options: argparse.Namespace, name: str, corpus: Corpus, instead: str) -> Outcome:
    """Train or resume `options.recipe` in `options.out`, unless it is finished."""
    try:
        identity = RunIdentity(asdict(recipe_from_flags(options, options.recipe)), options.seed or 0, corpus.sha256)
        target = checkpoint.examine(options.out)
        require_outside(options.data, options.out)
        verdict, reason = target.verdict(identity, instead)
    except ValueError as error:
        return Outcome(2, str(error))
    if verdict is Verdict.REFUSED:
        return Outcome(2, reason)
    if verdict is Verdict.SAME and (done := target.finished):
        print_block(f"{name}: done, {done.step} steps, val {done.metrics['val_stream_nats']:.4f}")
        return Outcome(0)
    return train_one(options, target, identity, corpus, f"{name}: {'goes on' if target.run else 'starts'}")


def exit_code(failed: Mapping[str, Outcome], runs: int) -> int:
    """Return 0 if all runs are done, 2 if every one was refused, else 1."""
    refused = sum(outcome.code == 2 for outcome in failed.values())
    return 0 if not failed else 2 if refused == runs else 1


def table_row(done: checkpoint.Checkpoint) -> str:
    """Format the losses of a checkpoint and the digest of its weights."""
    figures = [done.info.metrics[key] for key in ("train_loss_nats", "val_stream_nats", "val_cold_nats")]
    losses = "  ".join(f"{figure:.6f}" for figure in figures)
    return f"{done.info.name:20}  {done.step:>6}  {losses}  {checkpoint.sha256_tensors(done.model.state_dict())[:16]}"
