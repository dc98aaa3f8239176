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
import re
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from charrnn import checkpoint, script_runner
from charrnn.checkpoint import Origin, Target, Verdict
from charrnn.corpus import (
    TINY_SHAKESPEARE_SHA256,
    Corpus,
    cache_path,
    cached_tiny_shakespeare,
    read_text,
    tiny_shakespeare,
)
from charrnn.flags import COUNT, SEED, THREADS, Number, path
from charrnn.metrics import pace
from charrnn.paths import CHECKPOINTS, REPOSITORY
from charrnn.registry import KINDS, build_on_meta
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.training import (
    LIMITS,
    RECIPES,
    DivergedError,
    Recipe,
    Training,
    WorkQueue,
    is_distributed,
    largest_bytes,
    saved_steps,
)

HYPERPARAMETERS = {
    "cell": "the network: `rnn`, `gru`, `lstm` or `minigpt`",
    "hidden_dim": "units of the hidden state",
    "layer_norm": "layer norm inside the cell",
    "stateful": "carry the state from window to window, reset it at the epoch boundary",
    "steps": "updates",
    "batch": "windows in a minibatch",
    "seq_len": "characters in a window, the limit of the gradient; MiniGPT's context",
    "learning_rate": "the peak of the schedule",
    "warmup_steps": "steps until the peak; 0: none",
    "final_rate": "learning rate at the end as a share of the peak; 1: constant",
    "beta2": "AdamW's second decay",
    "weight_decay": "AdamW's weight decay of the matrices",
    "dropout": "dropout rate after the cell, or in each layer of MiniGPT",
    "input_dropout": "dropout rate before the cell",
    "recurrent_dropout": "dropout rate of W_hh",
    "max_grad_norm": "clip the gradient to this norm; 0: do not clip",
    "initialisation": "`default`, `orthogonal` or `chrono`",
    "keep_steps": "save weights during training, for the page's step selector",
}
PROMPT = "ROMEO:"
NOT_BUNDLED = "would train other networks than the bundled ones: name a folder with --out"
STOPPED = 128  # plus the number of the signal: exit code of a stopped run
SAMPLE_CHARS, PASSAGE_CHARS, SAMPLE_SEED = 400, 6000, 7


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parse the flags and check that they go together."""
    parser = argparse.ArgumentParser(
        description=script_runner.as_run(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    run = parser.add_argument_group("the run")
    run.add_argument("--data", type=path, help="a UTF-8 text (default: Tiny Shakespeare, downloaded once)")
    run.add_argument("--out", type=path, help="the checkpoint folder (default: checkpoints/NAME of the recipe)")
    run.add_argument("--all", action="store_true", help="every recipe whose checkpoint in --out/NAME is not done")
    run.add_argument("--seed", type=SEED, help="decides first weights, windows and dropout (default: 0)")
    run.add_argument("--recipe", choices=RECIPES, help="the defaults of what follows (default: that of the network)")
    run.add_argument("--save-every", type=COUNT, default=500, metavar="STEPS", help="default: 500")
    run.add_argument("--resume", action="store_true", help="continue the unfinished run in --out")
    run.add_argument("--threads", type=THREADS, help="CPU threads (default: all cores, or those of the run to resume)")
    run.add_argument("--device", default="cpu", help="cpu (default), or cuda if available")
    run.add_argument("--push-to-hub", metavar="OWNER/NAME", help="upload the finished checkpoint in one commit")
    run.add_argument("--private", action="store_true", help="with --push-to-hub: make a new repository private")
    recipe = parser.add_argument_group("the recipe")
    for field in fields(Recipe):
        flag = f"--{field.name.replace('_', '-')}"
        kind: dict[str, Any] = {"type": Number(LIMITS[field.name]) if field.name in LIMITS else str}
        if isinstance(field.default, bool):
            kind = {"action": argparse.BooleanOptionalAction}
        elif field.name == "cell":
            kind = {"choices": KINDS}
        help = f"{HYPERPARAMETERS[field.name]} (rnn: {getattr(RECIPES['rnn'], field.name)})"
        recipe.add_argument(flag, default=None, help=help, **kind)
    options = parser.parse_args(argv)
    if options.device != "cpu" and not (options.device == "cuda" and torch.cuda.is_available()):
        parser.error(
            f"--device is {options.device}: this machine has {'cpu, cuda' if torch.cuda.is_available() else 'cpu'}"
        )
    if options.all and (options.recipe or options.cell or options.resume or options.push_to_hub):
        parser.error(
            "--all trains every recipe and continues unfinished runs: leave --recipe, --cell, --resume and "
            "--push-to-hub out"
        )
    if options.all and given_settings(options) and not options.out:
        flag = next(iter(given_settings(options))).replace("_", "-")
        parser.error(f"--all with --{flag} {NOT_BUNDLED}")
    if options.all and options.seed and not options.out:
        parser.error(f"--all with --seed {options.seed} {NOT_BUNDLED}")
    if options.private and not options.push_to_hub:
        parser.error("--private goes with --push-to-hub: give both, or neither")
    if options.push_to_hub is not None:
        from charrnn import hub  # the Hub's client is not needed to train

        try:
            hub.require_repository(options.push_to_hub)
        except hub.HubError as error:
            parser.error(f"--push-to-hub: {error}")
    if options.recipe and options.cell not in (None, RECIPES[options.recipe].cell):
        parser.error(f"--recipe {options.recipe} is of another network than --cell {options.cell}: leave one out")
    words = sys.argv[1:] if argv is None else argv
    resume = [] if options.resume or options.all else ["--resume"]
    options.resume_command = script_runner.as_typed(REPOSITORY / "scripts/train.py", *words, *resume)
    return options


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the recipe settings that the flags name."""
    chosen = {field.name: getattr(options, field.name) for field in fields(Recipe)}
    return {name: value for name, value in chosen.items() if value is not None}


def recipe_name(options: argparse.Namespace) -> str:
    """Return the recipe asked for, or the name of its network: `rnn-seq256`."""
    cell = options.cell or "rnn"
    usual, named = default_recipe(cell), {"layer_norm": "layernorm", "stateful": "stateful"}
    parts = [cell, *(word for name, word in named.items() if getattr(options, name) and not getattr(usual, name))]
    parts += [f"seq{options.seq_len}"] if options.seq_len not in (None, usual.seq_len) else []
    return options.recipe or "-".join(parts)


def read_corpus(data: Path | None) -> Corpus:
    """Read a text file, or download Tiny Shakespeare. Raises ValueError."""
    if data is not None:
        return Corpus.from_text(read_text(data))
    if cached_tiny_shakespeare() is None:
        print(f"downloading Tiny Shakespeare to {cache_path()}")
    return Corpus.from_text(tiny_shakespeare())


def start(options: argparse.Namespace, target: Target, origin: Origin, corpus: Corpus) -> Training:
    """Start a run or resume the folder's. Raises ValueError if its state is damaged."""
    if target.run is None:
        recipe = Recipe(**origin.recipe)
        sizes = largest_bytes(recipe, len(corpus.vocab))
        checkpoint.require_room(target.folder, corpus.vocab, *sizes, len(saved_steps(recipe)))
        try:
            training = Training(corpus, recipe, origin.seed, options.device)
        except ValueError as error:  # the text is too short for it
            raise ValueError(with_flag_names(str(error))) from None
        training.data = absolute_path(options.data)
        return training
    tensors, run = checkpoint.load_run(target.folder)
    training = Training.resume(corpus, tensors, run, options.device)
    training.data = absolute_path(options.data) or training.data
    torch.set_num_threads(options.threads or run.get("threads") or torch.get_num_threads())
    return training


def requested_origin(options: argparse.Namespace, name: str, target: Target, corpus: Corpus | None) -> Origin:
    """
    Return the recipe, seed and text that the flags and the folder ask for.

    corpus: None for the text of the folder. Raises ValueError for a recipe that cannot be.
    """
    there = target.origin(asdict(Recipe())) if options.resume else None
    recipe: Mapping[str, Any]
    if there is None:
        recipe, seed = asdict(recipe_from_flags(options, name)), options.seed or 0
    else:
        recipe = {
            **there.recipe,
            **(asdict(RECIPES[options.recipe]) if options.recipe else {}),
            **given_settings(options),
        }
        seed = there.seed if options.seed is None else options.seed
    return Origin(recipe, seed, corpus.sha256 if corpus else there.data_sha256 if there else "")


def corpus_of(options: argparse.Namespace, target: Target) -> Corpus:
    """Read --data, else the text of the run, else Tiny Shakespeare. Raises ValueError."""
    run = target.run if options.resume else None
    if options.data or not run or run.get("data_sha256") == TINY_SHAKESPEARE_SHA256:
        return read_corpus(options.data)
    if not isinstance(run.get("data"), str):
        raise ValueError(f"the run in {target.folder} does not say where its text is: name it with --data")
    try:
        corpus = read_corpus(Path(run["data"]))
    except ValueError as error:
        raise ValueError(f"{error}; the run in {target.folder} learns that text: name it with --data") from None
    if corpus.sha256 != run.get("data_sha256"):
        raise ValueError(
            f"{run['data']} is no longer the text that the run in {target.folder} learns (sha256 "
            f"{corpus.sha256[:12]}…): give that one with --data"
        )
    return corpus


def absolute_path(data: Path | None) -> str | None:
    """Return the absolute path of a text; None if it is not valid UTF-8."""
    try:
        return None if data is None else str(data.absolute()).encode("utf-8").decode("utf-8")
    except UnicodeEncodeError:
        return None


def require_outside(data: Path | None, out: Path) -> None:
    """Raise ValueError if the text lies in the folder that the run writes to."""
    if data is not None and data.resolve().is_relative_to(out.resolve()):
        raise ValueError(f"--data {data} lies in {out}, where the run writes: move it, or give another --out")


def recipe_from_flags(options: argparse.Namespace, name: str) -> Recipe:
    """Return the recipe of a name or cell, changed by the flags. Raises ValueError."""
    try:
        recipe = replace(RECIPES.get(name, default_recipe(options.cell or "rnn")), **given_settings(options))
        build_on_meta(recipe.config, 1)  # its sizes go together
    except ValueError as error:
        raise ValueError(with_flag_names(str(error))) from None
    return recipe


def with_flag_names(reason: str) -> str:
    """Replace the names of recipe settings by their flags in a message."""
    long, short = ("|".join(name for name in HYPERPARAMETERS if ("_" in name) is wide) for wide in (True, False))
    reason = re.sub(rf"\b({long})\b", lambda found: f"--{found[0].replace('_', '-')}", reason)
    return re.sub(rf"^({short})\b(?= is )", r"--\1", reason)


def default_recipe(cell: str) -> Recipe:
    """Return the recipe of a cell; for an added cell the vanilla one's."""
    return RECIPES[cell] if cell in RECIPES else replace(RECIPES["rnn"], cell=cell)


def write_text(training: Training, chars: int) -> str:
    """Sample a text at T = 0.8 with fixed draws, after the lab sheet's prompt."""
    vocab = training.corpus.vocab
    prompt = vocab.default_prompt(PROMPT)
    decoder = training.model.decoder()
    settings = SamplingSettings(temperature=0.8)
    steps = generate(decoder, decoder.prefill(vocab.encode(prompt)), chars, settings, UniformStream(SAMPLE_SEED))
    return prompt + vocab.decode(step.id for step in steps)


class Saver:
    """Saves a run and knows the last saved step; None before the first save."""

    def __init__(self, lock: checkpoint.FolderLock, training: Training, step: int | None):
        self.lock, self.training, self.step = lock, training, step

    def save_state(self) -> None:
        """Save what `--resume` needs."""
        self.lock.renew()
        tensors, run = self.training.state()
        checkpoint.save_run(self.lock.folder, tensors, run | {"threads": torch.get_num_threads()})
        self.step = self.training.step

    def save(self) -> None:
        """Save the state, then the checkpoint unless it would replace a finished one."""
        self.training.require_finite()
        self.save_state()
        if self.training.finished:
            self.training.round_to_fp16()
        elif (self.lock.folder / checkpoint.MODEL).exists():
            info = readable_checkpoint(self.lock.folder)
            if info is None or info.finished:
                return
        save_checkpoint(self.lock.folder, self.training)
        if self.training.finished:
            checkpoint.remove_run(self.lock.folder)

    def try_save(self) -> None:
        """Save; after the first save, report a failure and continue."""
        try:
            self.save()
        except (OSError, MemoryError, RuntimeError) as error:
            if self.step is None or not (isinstance(error, OSError) or script_runner.is_out_of_memory(error)):
                raise
            failed = f"cannot save step {self.training.step} in {self.lock.folder} ({script_runner.reason(error)})"
            print(f"{failed}: step {self.step} is saved, training goes on", file=sys.stderr)

    def rescue(self) -> None:
        """After an error, save the state if it is consistent and newer than the saved one."""
        if self.training.consistent and self.step not in (None, self.training.step):
            with suppress(OSError, MemoryError, RuntimeError, checkpoint.CheckpointError):
                self.save_state()


def resume_hint(saver: Saver | None, options: argparse.Namespace) -> str:
    """Return the saved step and the command that continues; "" before the first save."""
    return (
        ""
        if saver is None or saver.step is None
        else f"step {saver.step} is saved, go on with\n{options.resume_command}"
    )


def save_checkpoint(out: Path, training: Training) -> None:
    """Save the present network with its metrics and a generated text."""
    checkpoint.save(
        out,
        training.model,
        training.corpus.vocab,
        step=training.step,
        seed=training.seed,
        recipe=asdict(training.recipe),
        data_sha256=training.corpus.sha256,
        metrics=training.metrics() | {"sample": write_text(training, SAMPLE_CHARS)},
        history=training.history,
        saved=training.saved,
        passage=write_text(training, PASSAGE_CHARS) if training.finished else "",
    )


def readable_checkpoint(out: Path) -> checkpoint.CheckpointInfo | None:
    """Describe the checkpoint in a folder; None if there is none or it is invalid."""
    try:
        return checkpoint.describe(out)
    except checkpoint.CheckpointError:
        return None


def stopping_signals() -> list[signal.Signals]:
    """Return the signals that stop a run after it was saved."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)  # not on Windows
    if hang_up is not None and signal.getsignal(hang_up) != signal.SIG_IGN:
        numbers.append(hang_up)
    return numbers


def train(saver: Saver, save_every: int) -> signal.Signals | None:
    """Train to the end or until a signal, and save what was learned in any case."""
    training = saver.training
    asked: list[signal.Signals] = []
    before = {
        number: signal.signal(number, lambda number, frame: asked.append(signal.Signals(number)))
        for number in stopping_signals()
    }
    try:
        with tqdm(total=training.recipe.steps, initial=training.step, unit="step", disable=None) as bar:
            while True:
                if training.should_evaluate:
                    line = training.measure().line()
                    tqdm.write(f"{line}  {pace(training.history, training.recipe.steps)}", file=sys.stdout)
                    sys.stdout.flush()
                if training.finished or asked:
                    break
                if training.step % save_every == 0:
                    saver.try_save()
                training.advance()
                bar.update()
        saver.save()
    except (DivergedError, checkpoint.CheckpointError):  # nothing can be saved
        raise
    except BaseException:
        saver.rescue()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return asked[0] if asked and not training.finished else None


def main(argv: list[str] | None = None) -> int:
    """Train as the command line says and return the exit code."""
    options = parse(argv)
    if options.threads or is_distributed():  # processes of one machine share its cores
        torch.set_num_threads(options.threads or 1)
    try:
        with script_runner.lasting_output():
            return run_command(options)
    except KeyboardInterrupt:  # before the first update or between two runs
        return 128 + signal.SIGINT


@dataclass(frozen=True)
class Outcome:
    """The end of a run: exit code, reason and advice."""

    code: int
    reason: str = ""
    advice: str = ""

    def __str__(self) -> str:
        return "; ".join(filter(None, (self.reason, self.advice)))

    def row(self, name: str) -> str:
        """Return the table row of a failed run."""
        return f"{name:20}  {self.reason}"


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


def folder_of(options: argparse.Namespace) -> Path:
    """Return the folder that --out names, else that of the recipe."""
    return options.out or CHECKPOINTS / recipe_name(options)


def train_single(options: argparse.Namespace) -> Outcome:
    """Train the run that the flags describe; refuses before creating anything."""
    name, out = recipe_name(options), folder_of(options)
    try:
        target = checkpoint.examine(out)
        if options.resume and target.run is None:
            return already_finished(options, name, target)
        if target.run is not None and not options.resume:
            run = out / checkpoint.RUN
            with checkpoint.folder_lock(out):  # raises if the run is still active
                raise ValueError(f"{out} holds an unfinished run: go on with --resume, or remove {run}")
        require_outside(options.data, out)
        corpus = corpus_of(options, target)
        origin = requested_origin(options, name, target, corpus)
        instead = None if options.out else "name a folder of its own with --out, or this one to replace it"
        verdict, reason = target.verdict(origin, instead)
    except OSError as error:
        return Outcome(2, f"cannot write {out}: {script_runner.reason(error)}")
    except ValueError as error:
        return Outcome(2, str(error))
    return Outcome(2, reason) if verdict is Verdict.REFUSED else train_one(options, target, origin, corpus)


def already_finished(options: argparse.Namespace, name: str, target: Target) -> Outcome:
    """Answer --resume without an unfinished run: done, or which network is there."""
    done, out = target.finished, target.folder
    if not done:
        return Outcome(2, f"{out} holds no unfinished run ({checkpoint.RUN}): start one without --resume")
    origin = requested_origin(options, name, target, read_corpus(options.data) if options.data else None)
    found = target.origin(origin.recipe)
    if found and (differences := found.differences(origin)):
        there = f"the network in {out} is finished and has {', '.join(differences)}"
        return Outcome(2, f"{there}: start another without --resume")
    print_block(f"{out}: done, {done.step} steps; nothing is left to resume")
    return Outcome(0)


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


def exit_code(failed: Mapping[str, Outcome], runs: int) -> int:
    """Return 0 if all runs are done, 2 if every one was refused, else 1."""
    refused = sum(outcome.code == 2 for outcome in failed.values())
    return 0 if not failed else 2 if refused == runs else 1


def train_unless_done(options: argparse.Namespace, name: str, corpus: Corpus, instead: str) -> Outcome:
    """Train or resume `options.recipe` in `options.out`, unless it is finished."""
    try:
        origin = Origin(asdict(recipe_from_flags(options, options.recipe)), options.seed or 0, corpus.sha256)
        target = checkpoint.examine(options.out)
        require_outside(options.data, options.out)
        verdict, reason = target.verdict(origin, instead)
    except ValueError as error:
        return Outcome(2, str(error))
    if verdict is Verdict.REFUSED:
        return Outcome(2, reason)
    if verdict is Verdict.SAME and (done := target.finished):
        print_block(f"{name}: done, {done.step} steps, val {done.metrics['val_stream_nats']:.4f}")
        return Outcome(0)
    return train_one(options, target, origin, corpus, f"{name}: {'goes on' if target.run else 'starts'}")


def print_block(lines: str) -> None:
    """Print in one piece: several processes may share the terminal."""
    print(f"{lines}\n", end="", flush=True)


def table_row(done: checkpoint.Checkpoint) -> str:
    """Format the losses of a checkpoint and the digest of its weights."""
    figures = [done.info.metrics[key] for key in ("train_loss_nats", "val_stream_nats", "val_cold_nats")]
    losses = "  ".join(f"{figure:.6f}" for figure in figures)
    return f"{done.info.name:20}  {done.step:>6}  {losses}  {checkpoint.sha256_tensors(done.model.state_dict())[:16]}"


def train_one(
    options: argparse.Namespace, target: Target, origin: Origin, corpus: Corpus, head: str | None = None
) -> Outcome:
    """Train one run in a checked folder, to its end or to a signal."""
    out = target.folder
    try:
        training = start(options, target, origin, corpus)
    except (ValueError, DivergedError) as error:
        return Outcome(2, str(error))
    except OSError as error:
        return Outcome(2, f"cannot read {out}: {script_runner.reason(error)}")
    for notice in training.model.notices():
        print_block(notice)
    saver = None
    try:
        with checkpoint.folder_lock(out) as lock:
            if checkpoint.examine(out) != target:
                raise checkpoint.CheckpointError("it was changed by another process: run the command again")
            if head:
                print_block(head)
            saver = Saver(lock, training, training.step if target.run else None)
            stopped = train(saver, options.save_every)
    except DivergedError as error:
        return Outcome(1, str(error), after_divergence(out, training.recipe))
    except checkpoint.CheckpointError as error:
        return Outcome(2, f"cannot write {out}: {error}")
    except OSError as error:
        return Outcome(2, f"cannot write {out}: {script_runner.reason(error)}", resume_hint(saver, options))
    except BaseException as error:
        if script_runner.is_out_of_memory(error):
            return Outcome(
                script_runner.OUT_OF_MEMORY, f"out of memory at step {training.step}", resume_hint(saver, options)
            )
        print(f"ended at step {training.step}; {resume_hint(saver, options)}", file=sys.stderr)
        raise
    if stopped:
        return Outcome(STOPPED + stopped, f"stopped at step {training.step}", resume_hint(saver, options))
    print_block(f"----- T=0.8 -----\n{write_text(training, SAMPLE_CHARS)}\n-----\n{training.step} steps -> {out}")
    return Outcome(0)


def after_divergence(out: Path, recipe: Recipe) -> str:
    """Describe what a diverged run leaves in its folder, and what to try."""
    less = (
        "--learning-rate or --max-grad-norm" if recipe.max_grad_norm else "--learning-rate, or clip: --max-grad-norm 5"
    )
    info = readable_checkpoint(out)
    if info is None:
        return f"nothing was saved; try a smaller {less}"
    if info.finished:
        there = f"{out} still has the finished network of an earlier run"
    else:
        there = f"the last good checkpoint is {out}, step {info.step}"
    return f"{there}; to try again, remove {out / checkpoint.RUN} and start with a smaller {less}"


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
