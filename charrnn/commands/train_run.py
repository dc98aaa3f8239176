"""Train one run to its end or to a signal, saving it in between."""

import argparse
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from charrnn import checkpoint, script_runner
from charrnn.checkpoint import RunIdentity, Target
from charrnn.commands.train_flags import with_flag_names
from charrnn.commands.train_resume import after_divergence, readable_checkpoint
from charrnn.commands.train_text import absolute_path
from charrnn.corpus import Corpus
from charrnn.metrics import format_speed
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.training import DivergedError, Recipe, Training, largest_bytes, saved_steps

PROMPT = "ROMEO:"
STOPPED = 128  # plus the number of the signal: exit code of a stopped run
SAMPLE_CHARS, PASSAGE_CHARS, SAMPLE_SEED = 400, 6000, 7


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


class Saver:
    """Writer of a run's files; `step`: the last saved step, None before the first."""

    def __init__(self, lock: checkpoint.FolderLock, training: Training, step: int | None):
        self.lock, self.training, self.step = lock, training, step

    def save_state(self) -> None:
        """Save the state that `--resume` needs. Raises OSError or CheckpointError."""
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
        """Save the state after an error, if it is consistent and newer than the saved."""
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
    """Save the current network with its metrics and a generated text."""
    with tqdm(total=training.final_chars, desc="validation", unit="char", disable=_is_short(training)) as bar:
        metrics = training.metrics(bar.update)
    checkpoint.save(
        out,
        training.model,
        training.corpus.vocab,
        step=training.step,
        seed=training.seed,
        recipe=asdict(training.recipe),
        data_sha256=training.corpus.sha256,
        metrics=metrics | {"sample": sample_text(training, SAMPLE_CHARS)},
        history=training.history,
        saved=training.saved,
        passage=sample_text(training, PASSAGE_CHARS) if training.finished else "",
    )


def _is_short(training: Training) -> bool | None:
    """Return whether the validation text is short; None (bar on a terminal) if not."""
    return True if not training.finished or training.final_chars <= 3 * training.recipe.val_chars else None


def sample_text(training: Training, chars: int) -> str:
    """Sample a text at T = 0.8 with a fixed seed, after the lab sheet's prompt."""
    vocab = training.corpus.vocab
    prompt = vocab.default_prompt(PROMPT)
    decoder = training.model.decoder()
    settings = SamplingSettings(temperature=0.8)
    steps = generate(decoder, decoder.prefill(vocab.encode(prompt)), chars, settings, UniformStream(SAMPLE_SEED))
    return prompt + vocab.decode(step.id for step in steps)


def train_one(
    options: argparse.Namespace, target: Target, identity: RunIdentity, corpus: Corpus, heading: str | None = None
) -> Outcome:
    """Train one run in a checked folder, to its end or to a signal."""
    out = target.folder
    try:
        training = start(options, target, identity, corpus)
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
            if heading:
                print_block(heading)
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
    print_block(f"----- T=0.8 -----\n{sample_text(training, SAMPLE_CHARS)}\n-----\n{training.step} steps -> {out}")
    return Outcome(0)


def start(options: argparse.Namespace, target: Target, identity: RunIdentity, corpus: Corpus) -> Training:
    """Start a run or resume the folder's. Raises ValueError if its state is damaged."""
    if target.run is None:
        recipe = Recipe(**identity.recipe)
        sizes = largest_bytes(recipe, len(corpus.vocab))
        checkpoint.require_room(target.folder, corpus.vocab, *sizes, len(saved_steps(recipe)))
        try:
            training = Training(corpus, recipe, identity.seed, options.device)
        except ValueError as error:  # the text is too short for it
            raise ValueError(with_flag_names(str(error))) from None
        training.data = absolute_path(options.data)
        return training
    tensors, run = checkpoint.load_run(target.folder)
    training = Training.resume(corpus, tensors, run, options.device)
    training.data = absolute_path(options.data) or training.data
    torch.set_num_threads(options.threads or run.get("threads") or torch.get_num_threads())
    return training


def train(saver: Saver, save_every: int) -> signal.Signals | None:
    """Train to the end or until a signal, and save in either case."""
    training = saver.training
    received: list[signal.Signals] = []
    previous_handlers = {
        number: signal.signal(number, lambda number, frame: received.append(signal.Signals(number)))
        for number in stopping_signals()
    }
    try:
        with tqdm(total=training.recipe.steps, initial=training.step, unit="step", disable=None) as bar:
            while True:
                if training.should_evaluate:
                    line = training.measure().line()
                    tqdm.write(f"{line}  {format_speed(training.history, training.recipe.steps)}", file=sys.stdout)
                    sys.stdout.flush()
                if training.finished or received:
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
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)
    return received[0] if received and not training.finished else None


def stopping_signals() -> list[signal.Signals]:
    """Return the signals that stop a run after it was saved."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)  # not on Windows
    if hang_up is not None and signal.getsignal(hang_up) != signal.SIG_IGN:
        numbers.append(hang_up)
    return numbers


def print_block(lines: str) -> None:
    """Print in one piece: several processes may share the terminal."""
    print(f"{lines}\n", end="", flush=True)
