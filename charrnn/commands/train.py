"""
Train a checkpoint.

    python scripts/train.py                                      refresh checkpoints/rnn
    python scripts/train.py --cell lstm --layer-norm             refresh checkpoints/lstm-layernorm
    python scripts/train.py --recipe rnn-lab                     the lab sheet's own recipe, checkpoints/rnn-lab
    python scripts/train.py --all                                every bundled checkpoint that is not finished
    python scripts/train.py --data my.txt --out checkpoints/my   any UTF-8 text
    python scripts/train.py --out checkpoints/my --resume        continue a stopped run
    torchrun --nproc-per-node 8 scripts/train.py --all           the same, eight at a time, also on several machines

A folder with files that are not part of a checkpoint is never written to. A finished network of another recipe, seed or
text is replaced only if --out names its folder; --all replaces none and lists them in its table.

Ctrl-C finishes the step and saves; so do SIGTERM and a closed terminal. A save that fails, as on a full disk, is
repeated at the next one. A run that ends early prints what is saved and the command that continues it; if its output
can no longer be written, it continues without. Exit codes: 0 done, 1 diverged, not pushed, out of memory or, with
--all, not all done, 2 bad input or a folder that cannot be written, 129, 130 and 143 stopped.
"""

import argparse
import signal
import sys
from pathlib import Path

import torch

from charrnn import checkpoint, script_runner
from charrnn.checkpoint import Verdict
from charrnn.commands.train_all import train_all
from charrnn.commands.train_flags import parse
from charrnn.commands.train_folder import folder_of, recipe_name
from charrnn.commands.train_resume import requested_identity, require_finished, require_no_unfinished_run
from charrnn.commands.train_run import Outcome, print_block, train_one
from charrnn.commands.train_text import corpus_of, require_outside
from charrnn.paths import REPOSITORY
from charrnn.training import is_distributed


def main(argv: list[str] | None = None) -> int:
    """Train as the command line says and return the exit code."""
    options = parse(argv, __doc__)
    if options.threads or is_distributed():  # processes of one machine share its cores
        torch.set_num_threads(options.threads or 1)
    try:
        with script_runner.lasting_output():
            return run_command(options)
    except KeyboardInterrupt:  # before the first update or between two runs
        return 128 + signal.SIGINT


def run_command(options: argparse.Namespace) -> int:
    """Train one run or all of them and return the exit code."""
    if options.all:
        return train_all(options)
    if options.push_to_hub:
        from charrnn import hub

        try:
            hub.require_ours(options.push_to_hub)
        except hub.HubError as error:
            print(f"--push-to-hub: {error}", file=sys.stderr)
            return 2
    outcome = train_single(options)
    if outcome.code:
        print(outcome, file=sys.stderr)
        return outcome.code
    return push(folder_of(options), options.push_to_hub, options.private) if options.push_to_hub else 0


def train_single(options: argparse.Namespace) -> Outcome:
    """Train the run that the flags describe; refuses before creating anything."""
    name, out = recipe_name(options), folder_of(options)
    try:
        target = checkpoint.examine(out)
        if options.resume and target.run is None:
            done = require_finished(options, name, target)
            print_block(f"{out}: done, {done.step} steps; nothing is left to resume")
            return Outcome(0)
        if not options.resume:
            require_no_unfinished_run(target)
        require_outside(options.data, out)
        corpus = corpus_of(options, target)
        identity = requested_identity(options, name, target, corpus)
        instead = None if options.out else "name a folder of its own with --out, or this one to replace it"
        verdict, reason = target.verdict(identity, instead)
    except OSError as error:
        return Outcome(2, f"cannot write {out}: {script_runner.reason(error)}")
    except ValueError as error:
        return Outcome(2, str(error))
    return Outcome(2, reason) if verdict is Verdict.REFUSED else train_one(options, target, identity, corpus)


def push(folder: Path, repository: str, private: bool) -> int:
    """Upload the checkpoint, or print how to retry; return the exit code."""
    from charrnn import hub  # the Hub's client is not needed to train

    try:
        pushed = hub.push(folder, repository, private=private, notify=lambda line: print(line, file=sys.stderr))
        print(f"{pushed.url} at commit {pushed.commit}, tag {pushed.tag}")
        return 0
    except (hub.HubError, checkpoint.CheckpointError) as error:
        reason, code = str(error), 1
    except KeyboardInterrupt:
        reason, code = "stopped", 128 + signal.SIGINT
    again = hub.retry_line(REPOSITORY / "scripts/publish.py", folder, repository, private=private)
    print(f"{reason}\nthe checkpoint is safe in {folder}; try again with:\n{again}", file=sys.stderr)
    return code
