"""
Train a grid of configurations with several seeds each and compare them.

    python scripts/sweep.py --recipe gru lstm --hidden-dim 64 128 --seed 0 1 2            twelve runs, in runs/sweep
    python scripts/sweep.py --layer-norm no yes --learning-rate 0.002 0.008 0.03 --steps 500
    torchrun --standalone --nproc-per-node 8 scripts/sweep.py --recipe gru lstm --seed 0 1 2    eight at a time

Every setting of a recipe takes several values, and each combination is trained as by scripts/train.py, in a folder
named for the settings. The same command again trains missing runs and continues stopped ones. The table does not depend
on how many processes share the work. A run that fails is listed in the table with its reason, and the others are
trained. A finished network of another text is never replaced.

Losses are nats per character of the validation text (`stream`): the median over the seeds, and from the best to the
worst. Exit codes: 0 all are done, 1 some are not, 2 bad input or all were refused, 130 and 143 stopped.
"""

import argparse
import itertools
import math
import signal
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch

from charrnn import checkpoint, script_runner
from charrnn.commands import train_all, train_flags, train_run, train_text
from charrnn.flag_types import path
from charrnn.metrics import bits_per_char
from charrnn.paths import REPOSITORY
from charrnn.text_tables import columns
from charrnn.training import RECIPES, Recipe, WorkQueue

HEADS = ("configuration", "parameters", "seeds", "val stream", "from", "to", "bits")
AXES = [field for field in fields(Recipe) if field.name != "cell"]


@dataclass(frozen=True)
class Run:
    """A configuration with a seed: its folder name and the options of train.py."""

    configuration: str
    name: str
    options: argparse.Namespace


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the flags; those of the recipe remain lists of words for train.py."""
    parser = script_runner.script_parser(__doc__)
    parser.add_argument("--into", type=path, default=REPOSITORY / "runs/sweep", help="default: runs/sweep")
    parser.add_argument("--data", type=path, help="a UTF-8 text (default: Tiny Shakespeare, downloaded once)")
    parser.add_argument("--threads", default="1", help="of each run; they decide the last digits (default: 1)")
    parser.add_argument("--device", default="cpu", help="cpu (default), or cuda if available")
    parser.add_argument("--save-every", default="500", metavar="STEPS", help="default: 500")
    grid = parser.add_argument_group("the grid", "each takes one value or several")
    grid.add_argument("--recipe", nargs="+", default=["rnn"], choices=RECIPES, help="what is not given (default: rnn)")
    grid.add_argument("--seed", nargs="+", default=["0"], help="default: 0")
    for field in AXES:
        values: dict[str, Any] = {"choices": ("no", "yes")} if isinstance(field.default, bool) else {}
        grid.add_argument(flag(field.name), nargs="+", help=train_flags.HYPERPARAMETERS[field.name], **values)
    return parser.parse_args(argv)


def flag(name: str) -> str:
    """Return the flag of a setting: `--hidden-dim` for `hidden_dim`."""
    return f"--{name.replace('_', '-')}"


def runs_of(options: argparse.Namespace) -> list[Run]:
    """Return every combination once, seeds adjacent. Raises SystemExit for a bad one."""
    axes = {field.name: getattr(options, field.name) for field in AXES if getattr(options, field.name)}
    fixed = ["--threads", options.threads, "--device", options.device, "--save-every", options.save_every]
    fixed += ["--data", str(options.data)] if options.data else []
    kinds = {field.name: type(field.default) for field in AXES}
    axes = {name: [canonical(kinds[name], value) for value in values] for name, values in axes.items()}
    seeds = [canonical(int, seed) for seed in options.seed]
    runs = {}
    for recipe, *values, seed in itertools.product(options.recipe, *axes.values(), seeds):
        settings = dict(zip(axes, values, strict=True))
        words = [word for name, value in settings.items() for word in flag_words(name, value)]
        name = "-".join([recipe, *(f"{name}={value}" for name, value in settings.items()), f"seed={seed}"])
        configuration = " ".join([recipe, *(f"{name}={settings[name]}" for name in axes if len(set(axes[name])) > 1)])
        run_options = train_flags.parse(
            ["--recipe", recipe, "--seed", seed, *fixed, *words, "--out", str(options.into / name)]
        )
        runs[name] = Run(configuration, name, run_options)
    return list(runs.values())


def canonical(kind: type, text: str) -> str:
    """Normalize the spelling of a number, so that `0.002` and `2e-3` are one setting."""
    try:
        return str(kind(text) + 0).removesuffix(".0") if kind in (int, float) else text  # + 0: -0.0 is 0.0
    except ValueError:
        return text  # train.py reports the error


def flag_words(name: str, value: str) -> list[str]:
    """Return a setting as words for train.py."""
    if value in ("no", "yes"):
        return [flag(name) if value == "yes" else flag(f"no_{name}")]
    return [flag(name), value]


def table(runs: Sequence[Run], failed: Mapping[str, train_run.Outcome]) -> str:
    """Format one row per configuration, the best first; then why runs are missing."""
    rows = []
    for configuration, group in itertools.groupby(runs, lambda run: run.configuration):
        seeds = list(group)
        finished = [checkpoint.describe(run.options.out) for run in seeds if run.name not in failed]
        count = str(len(seeds)) if len(finished) == len(seeds) else f"{len(finished)} of {len(seeds)}"
        losses = sorted(info.metrics["val_stream_nats"] for info in finished)
        median = statistics.median(losses) if losses else math.inf
        figures = [f"{nats:.6f}" for nats in (median, losses[0], losses[-1])] if losses else [""] * 3
        bits = f"{bits_per_char(median):.4f}" if losses else ""
        reasons = [f"seed {run.options.seed}: {failed[run.name].reason}" for run in seeds if run.name in failed]
        parameters = f"{finished[0].parameters:,}" if finished else ""
        rows.append((median, [configuration, parameters, count, *figures, bits, "; ".join(reasons)]))
    rows.sort(key=lambda row: row[0])
    heads = [*HEADS, "not done"] if failed else HEADS
    return columns(heads, [row[: len(heads)] for _, row in rows])


@script_runner.lasting_output()
def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing, print the table and return the exit code."""
    options = parse(argv)
    runs = runs_of(options)
    again = script_runner.shell_command(REPOSITORY / "scripts/sweep.py", *(sys.argv[1:] if argv is None else argv))
    for run in runs:
        run.options.resume_command = again
    torch.set_num_threads(runs[0].options.threads)
    try:
        corpus = train_text.read_corpus(options.data)
        queue = WorkQueue()
        by_name = {run.name: run.options for run in runs}
        failed = train_all.train_each(queue, by_name, corpus, "give another --into, or remove that folder")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    if isinstance(failed, int):
        return failed
    if queue.rank > 0:
        return 0
    train_run.print_block(table(runs, failed))
    return train_all.exit_code(failed, len(runs))
