"""
Faults in file operations, memory, output and signals during training.

After a fault, the old or the new state is complete, and resuming ends in the same weights.
"""

import errno
import io
import itertools
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from charrnn import checkpoint, hub, script_runner
from charrnn.commands import train, train_run
from charrnn.corpus import Corpus
from charrnn.model import CharRNN
from charrnn.training import Recipe, Training, trainer
from tests.cli import interrupted, run_main
from tests.fault_injection import Killed, faults
from tests.hub_client import write_checkpoint

pytestmark = pytest.mark.process

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 8
SMALL = "--batch 2 --seq-len 4 --hidden-dim 2 --save-every 1 --threads 1".split()
ERRORS = [partial(OSError, number, os.strerror(number)) for number in (errno.ENOSPC, errno.EACCES, errno.EIO)]
ERRORS += [partial(InterruptedError, errno.EINTR, "interrupted"), KeyboardInterrupt]


@pytest.fixture
def root() -> Iterator[Path]:
    """A temporary folder, in memory if possible: thousands of files are written."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def run_train(capsys, monkeypatch, root):
    """Call the script in this process on a small text, without evaluation or sample."""
    monkeypatch.setattr(trainer, "evaluate_stream", lambda model, ids, read=None: 3.0)
    monkeypatch.setattr(trainer, "evaluate_cold", lambda model, ids, read=None: 3.0)
    monkeypatch.setattr(train_run, "sample_text", lambda training, chars: "text")
    monkeypatch.setattr(CharRNN, "notices", lambda model: [])
    corpus = root / "text.txt"
    corpus.write_text(TEXT, encoding="utf-8")
    return lambda *arguments: run_main(capsys, train.main, "--data", corpus, *SMALL, *arguments)


def digest(folder: Path) -> str:
    return checkpoint.sha256_tensors(checkpoint.load(folder).model.state_dict())


def states(folder: Path) -> set[str]:
    """Read the model in a folder and its saved steps; return their digests."""
    if not (folder / checkpoint.MODEL).exists():
        return set()
    info = checkpoint.describe(folder)
    return {
        f"{step} of {info.step}: {checkpoint.sha256_tensors(checkpoint.load(folder, step).model.state_dict())}"
        for step in info.saved_steps
    }


def seen_states(run_train, monkeypatch, *arguments) -> set[str]:
    """Return every state of the folder during an undisturbed run."""
    seen, save = set(), checkpoint.save

    def save_and_read(folder, *args, **kwargs):
        save(folder, *args, **kwargs)
        seen.update(states(folder))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", save_and_read)
        assert run_train(*arguments).code == 0
    return seen


def start_from(before: Path | None, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    if before is not None:
        shutil.copytree(before, out)


def undisturbed_digest(run_train, out: Path, *start: str) -> str:
    """Run without a fault, delete the folder, and return the digest of the weights."""
    assert run_train(*start).code == 0
    found = digest(out)
    shutil.rmtree(out)
    return found


@pytest.mark.parametrize("begins", ["with nothing", "with a stopped run", "over a finished network"])
def test_file_operation_faults_leave_whole_state(run_train, root, monkeypatch, begins):
    out, before = root / "out", None
    start = ["--out", str(out), "--steps", "1", "--keep-steps"]
    known = seen_states(run_train, monkeypatch, *start)
    if begins == "with a stopped run":
        before, start = root / "before", [*start[:3], "2", "--keep-steps"]
        with interrupted(at=1):
            assert run_train("--out", before, "--steps", "2", "--keep-steps").code == 130
        shutil.rmtree(out)
        known = seen_states(run_train, monkeypatch, *start) | states(before)
    elif begins == "over a finished network":
        before = root / "before"
        assert run_train("--out", before, "--steps", "1", "--seed", "1").code == 0
        known = {state for state in known if "of 1:" in state} | states(before)  # no unfinished run replaces it
    resume = ["--resume"] if begins == "with a stopped run" else []
    expected = digest(out)
    start_from(before, out)
    with faults(out) as undisturbed:
        assert run_train(*start, *resume).code == 0
    assert {"write", "fsync", "replace", "unlink", "flock", "read"} - set(undisturbed.done) <= {"read"}
    assert digest(out) == expected and not (out / checkpoint.RUN).exists()
    errors = itertools.cycle(ERRORS)
    for at, name in enumerate(undisturbed.done):
        for error in (next(errors), None):
            start_from(before, out)
            with faults(out, at, error) as watch:
                try:
                    result = run_train(*start, *resume)
                except Killed:
                    result = None
            case = f"{begins}: {at} {name}, {error or 'killed'}: {result and result.err}"
            assert watch.done[at] == name, case
            if error is None:
                assert result is None, case
            elif error is KeyboardInterrupt:
                assert result and result.code == 130, case
            else:
                assert result and result.code in (0, 2) and "Traceback" not in result.err, case
                assert result.code == 0 or result.err, case
            assert states(out) <= known, case
            resume_again = ["--resume"] if checkpoint.has_run_state(out) else []
            if result is None or result.code or resume_again:
                assert run_train(*start, *resume_again).code == 0, case
            assert digest(out) == expected, case
            assert not (out / checkpoint.RUN).exists() and not list(out.rglob("*.tmp")), case


def moments(count: int) -> list[int]:
    """Choose ten operations of a run, from the first to the last."""
    return [round(i * (count - 1) / 9) for i in range(10)]


def finishes(out: Path, result, expected: str) -> None:
    """Resume by the command that the run printed; it ends in the same weights."""
    words = shlex.split(result.err.splitlines()[-1])
    assert words[-1] == "--resume" and "--out" in words, result.err
    assert train.main(words[2:]) == 0
    assert digest(out) == expected


class FailingAllocator(TorchDispatchMode):
    """Count torch operations; from number `at` on, `left` of them run out of memory."""

    def __init__(self, at: int | None = None, left: int = 1):
        super().__init__()
        self.count, self.at, self.left = 0, at, left

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        number, self.count = self.count, self.count + 1
        if self.at is not None and number >= self.at and self.left:
            self.left -= 1
            raise torch.OutOfMemoryError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes")
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("left", [1, 10**9], ids=["once", "always"])
def test_out_of_memory_costs_only_unsaved_steps(run_train, root, left, capsys, monkeypatch):
    def as_command(words: list[str]) -> int:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", sys.stdout)
            patch.setattr("sys.stderr", sys.stderr)
            return script_runner.run(lambda: train.main(words))

    out = root / "out"
    start = ["--out", str(out), "--steps", "5", "--save-every", "3"]
    with FailingAllocator() as undisturbed:
        assert run_train(*start).code == 0
    expected, ended = digest(out), 0
    for at in moments(undisturbed.count):
        shutil.rmtree(out, ignore_errors=True)
        with FailingAllocator(at, left):
            result = run_main(capsys, as_command, "--data", root / "text.txt", *SMALL, *start)
        assert "Traceback" not in result.err
        assert all(len(state) for state in states(out))
        if result.code == 0:  # the fault only affected a save
            assert digest(out) == expected
        elif checkpoint.has_run_state(out):
            assert result.code == 1 and "out of memory at step" in result.err
            saved = checkpoint.load_run(out)[1]["step"]
            assert f"step {saved} is saved" in result.err
            finishes(out, result, expected)
            ended += 1
        else:
            assert result.code == 1 and "out of memory" in result.err
            assert run_train(*start).code == 0 and digest(out) == expected
    assert ended


def test_out_of_memory_step_can_be_repeated():
    """The state is unchanged unless the fault hit the update of the weights."""
    recipe = Recipe(cell="lstm", steps=9, batch=2, seq_len=4, hidden_dim=3, stateful=True, dropout=0.5)
    corpus = Corpus.from_text(TEXT)

    def first_steps() -> Training:
        training = Training(corpus, recipe)
        for _ in range(2):
            training.advance()
        return training

    expected = first_steps()
    with FailingAllocator() as undisturbed:
        expected.advance()
    broken = 0
    for at in range(undisturbed.count):
        training = first_steps()
        with FailingAllocator(at), pytest.raises(torch.OutOfMemoryError):
            training.advance()
        broken += not training.consistent
        if training.consistent:
            training.advance()
            tensors, _ = training.state()
            assert all(torch.equal(value, expected.state()[0][name]) for name, value in tensors.items()), at
    assert 0 < broken < undisturbed.count / 2


class ClosedPipe(io.StringIO):
    """Standard output that is closed after some lines."""

    def __init__(self, lines: int):
        super().__init__()
        self.lines = lines

    def write(self, text: str) -> int:
        self.lines -= 1
        if self.lines < 0:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        return super().write(text)


@pytest.mark.parametrize("closed", ["stdout", "both"])
def test_training_continues_without_output(run_train, root, monkeypatch, closed):
    out = root / "out"
    start = ["--out", str(out), "--steps", "5"]
    expected = undisturbed_digest(run_train, out, *start)
    for lines in range(10):
        shutil.rmtree(out, ignore_errors=True)
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", pipe := ClosedPipe(lines))
            if closed == "both":
                patch.setattr("sys.stderr", ClosedPipe(0))
            words = ["--data", str(root / "text.txt"), *SMALL, *start]
            assert train.main(words) == 0
        assert digest(out) == expected and not (out / checkpoint.RUN).exists()
    assert pipe.lines < 10


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_signals_save_and_print_resume_command(run_train, root, number):
    out = root / "out"
    start = ["--out", str(out), "--steps", "5", "--save-every", "2"]
    with FailingAllocator() as undisturbed:
        assert run_train(*start).code == 0
    expected = digest(out)
    for at in moments(undisturbed.count):
        shutil.rmtree(out)

        class Signal(FailingAllocator):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                self.count += 1
                if self.count == self.at and signal.getsignal(number) != signal.SIG_DFL:
                    signal.raise_signal(number)
                return function(*args, **(kwargs or {}))

        with Signal(at):
            result = run_train(*start)
        if result.code:
            assert result.code == 128 + number
            assert f"step {checkpoint.load_run(out)[1]['step']} is saved" in result.err
            finishes(out, result, expected)
        assert digest(out) == expected


def test_ignored_hang_up_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in train_run.stopping_signals()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_full_disk_is_reported_and_training_continues(run_train, root, monkeypatch):
    out = root / "out"
    start = ["--out", str(out), "--steps", "6", "--save-every", "1"]
    expected = undisturbed_digest(run_train, out, *start)
    write, saves = checkpoint.save_run, itertools.count()

    def full(*arguments):
        if next(saves) in (2, 3):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(*arguments)

    monkeypatch.setattr(checkpoint, "save_run", full)
    result = run_train(*start)
    assert result.code == 0 and digest(out) == expected
    reason = f"in {out} (No space left on device): step 1 is saved, training goes on"
    assert result.err.splitlines() == [f"cannot save step {step} {reason}" for step in (2, 3)]


def test_measuring_error_saves_and_keeps_traceback(run_train, root, monkeypatch, capsys):
    out = root / "out"
    start = ["--out", str(out), "--steps", "20", "--save-every", "100"]
    expected = undisturbed_digest(run_train, out, *start)
    with monkeypatch.context() as patch:
        point = Training._point
        patch.setattr(Training, "_point", lambda training: point(training) if training.step < 10 else 1 // 0)
        with pytest.raises(ZeroDivisionError):
            run_train(*start)
    assert checkpoint.load_run(out)[1]["step"] == 10
    messages = capsys.readouterr().err
    assert "ended at step 10; step 10 is saved, go on with\n" in messages
    assert train.main(shlex.split(messages.splitlines()[-1])[2:]) == 0
    assert digest(out) == expected


def contents(release: hub.Release) -> dict[str, bytes]:
    """Return the bytes of every file of a release."""
    return {path: part if isinstance(part, bytes) else part.read_bytes() for path, part in release.files.items()}


@pytest.mark.parametrize("name", [".", "a"], ids=["all", "one"])
def test_release_with_fault_is_whole_or_refused(root, monkeypatch, name):
    """A push would delete a silently omitted file from the Hub."""
    for seed, folder in enumerate(("a", "b")):
        write_checkpoint(root / "checkpoints" / folder, seed, [0, 100] if folder == "a" else [])
    folder = root / "checkpoints" / name
    with faults(root) as undisturbed:
        whole = contents(hub.release(folder, "me/rnn"))
    refused = 0
    for at, error in zip(range(len(undisturbed.done)), itertools.cycle(ERRORS[:-1]), strict=False):
        with faults(root, at, error) as watch:
            try:
                found = contents(hub.release(folder, "me/rnn"))
            except (checkpoint.CheckpointError, OSError):
                refused += 1
                continue
        assert found == whole, (at, watch.done[at])
    assert refused > len(undisturbed.done) / 5


@pytest.mark.timeout(900)
def test_push_with_faults_leaves_old_or_new_release(server, tmp_path):
    folders = [write_checkpoint(tmp_path / name, seed, []) for seed, name in enumerate(("old", "new"))]
    (found,) = server.call(["push_with_faults", *map(str, folders), "me/rnn"])
    assert found.get("wrong") == [] and found["operations"] > 50, found
