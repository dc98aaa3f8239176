"""
`scripts/train.py`: output, errors and resume.

Tests of signals start a process; the others call `main`, which is faster.
"""

import shlex
import signal
import subprocess

import pytest
import torch

from charrnn import checkpoint
from charrnn.checkpoint.safetensors_io import read
from charrnn.commands import train, train_flags, train_resume, train_run, train_text
from charrnn.corpus import Corpus
from charrnn.training import Recipe, Training
from tests.cli import command, interrupted, run_main

pytestmark = pytest.mark.process

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 200
SMALL = "--steps 60 --batch 8 --seq-len 16 --hidden-dim 16 --save-every 7 --threads 1".split()


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def typed(capsys, monkeypatch):
    """Call the script in this process, with short texts."""
    monkeypatch.setattr(train_run, "PASSAGE_CHARS", 40)
    monkeypatch.setattr(train_run, "SAMPLE_CHARS", 20)
    return lambda *arguments: run_main(capsys, train.main, *arguments)


def test_training_prints_curve_and_writes_checkpoint(corpus, tmp_path, typed):
    out = tmp_path / "rnn"
    result = typed("--data", corpus, "--out", out, *SMALL)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("step ")] == ["0", "10", "60"]
    assert "----- T=0.8 -----" in lines
    assert all(word in lines[0] for word in ("loss=", "ppl=", "bpc=", "val_loss=", "val_ppl=", "val_bpc="))
    info = checkpoint.describe(out)
    assert info.saved_steps == [0, 10, 60]
    assert [point.step for point in info.history] == [0, 10, 60]
    assert info.metrics["val_stream_nats"] == pytest.approx(info.history[-1].val_loss_nats, abs=1e-3)
    dtypes = {tensor.dtype for tensor in read(out / "model.safetensors").tensors().values()}
    assert dtypes == {torch.float16}, "rounded, as the loss allows"
    assert not (out / "training.safetensors").exists()


def test_signal_saves_and_prints_resume_command(corpus, tmp_path):
    """As a process; other signals, at ten moments each, in `tests/test_faults.py`."""
    out = tmp_path / "rnn"
    arguments = command("train.py", "--data", corpus, "--out", out, "--steps", 10**6, *SMALL[2:])
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("step 10 "):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    _, run = checkpoint.load_run(out)
    stopped, line = errors.splitlines()[-2:]
    assert stopped == f"stopped at step {run['step']}; step {run['step']} is saved, go on with"
    assert shlex.split(line)[2:] == [*arguments[2:], "--resume"]
    assert checkpoint.load(out).step == run["step"] >= 10


def test_ctrl_c_before_first_update_has_no_traceback(typed, monkeypatch):
    def stop(data):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_text, "read_corpus", stop)
    assert typed() == (130, "", "")


@pytest.mark.parametrize(
    ("content", "flags", "reason"),
    [
        (b"", [], "is empty"),
        (b"\xff\xfe", [], "not UTF-8"),
        (b"short", [], "shorter --seq-len"),
        (b"twenty characters ab", ["--seq-len", "1"], "2 of them to validate on, which takes 4: give 41 or more"),
        (None, [], "cannot read"),
        (TEXT.encode(), ["--initialisation", "zeros"], "initialisation is 'zeros': give one of default"),
        (TEXT.encode(), ["--stateful", "--batch", "128"], "give a smaller --batch or --seq-len, or --no-stateful"),
        (
            TEXT.encode(),
            ["--cell", "minigpt", "--stateful"],
            "--stateful is True: that is for recurrent cells, leave it",
        ),
        (TEXT.encode(), ["--cell", "minigpt", "--layer-norm"], "--layer-norm is True: that is for recurrent cells,"),
        (TEXT.encode(), ["--cell", "minigpt", "--hidden-dim", "10"], "a --hidden-dim that is a multiple of 8"),
    ],
)
def test_bad_training_input_is_one_line(tmp_path, typed, content, flags, reason):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    result = typed("--data", path, "--out", tmp_path / "rnn", *flags)
    assert result.code == 2
    assert reason in result.err
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "rnn").exists()


def test_resume_refuses_other_recipe_or_text(corpus, tmp_path, typed):
    out = tmp_path / "rnn"
    with interrupted(at=3):
        assert typed("--data", corpus, "--out", out, *SMALL).code == 128 + signal.SIGINT
    state = out / "training.safetensors"
    for flags, reason in {
        ("--batch", 9): f"has batch 8, not 9: resume that run, or remove {state} to start again",
        ("--seed", 5): "has seed 0, not 5",
        ("--cell", "gru"): "has cell rnn, not gru",
        ("--layer-norm",): "has layer_norm False, not True",
        ("--recipe", "rnn-lab"): "not",
    }.items():
        result = typed("--data", corpus, "--out", out, "--resume", *flags)
        assert (result.code, reason in result.err, result.err.count("\n")) == (2, True, 1)
    other = tmp_path / "other.txt"
    other.write_text(TEXT.upper(), encoding="utf-8")
    result = typed("--data", other, "--out", out, "--resume")
    assert (result.code, "give the same --data" in result.err) == (2, True)


def test_resume_uses_threads_of_run(tmp_path):
    training = Training(Corpus.from_text(TEXT), Recipe(steps=2, batch=2, seq_len=4, hidden_dim=4))
    tensors, run = training.state()
    before = torch.get_num_threads()
    try:
        for threads, flags, expected in [(1, [], 1), (2, [], 2), (2, ["--threads", "1"], 1)]:
            checkpoint.save_run(tmp_path / "rnn", tensors, run | {"threads": threads})
            options = train_flags.parse(["--resume", *flags])
            target, corpus = checkpoint.examine(tmp_path / "rnn"), Corpus.from_text(TEXT)
            train_run.start(options, target, train_resume.requested_identity(options, "rnn", target, corpus), corpus)
            assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "flags",
    [
        ["--dropout", "1"],
        ["--cell", "elman"],
        ["--recipe", "tuned"],
        ["--device", "tpu"],
        ["--all", "--cell", "lstm"],
        ["--all", "--recipe", "lstm"],
        ["--all", "--push-to-hub", "me/rnn"],
        ["--all", "--resume"],
        ["--all", "--seed", "1"],
        ["--private"],
        ["--out", ""],
        ["--data", ""],
        ["--push-to-hub", "rnn"],
        ["--recipe", "lstm", "--cell", "gru"],
    ],
    ids=" ".join,
)
def test_wrong_training_flags_are_refused(typed, flags):
    result = typed(*flags)
    assert result.code == 2
    assert next(flag for flag in reversed(flags) if flag.startswith("--")) in result.err.splitlines()[-1]
    assert result.out == ""


def test_missing_device_is_refused(typed, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = typed("--device", "cuda")
    assert result.code == 2
    assert "--device is cuda: this machine has cpu" in result.err.splitlines()[-1]
