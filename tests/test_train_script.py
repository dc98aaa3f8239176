"""`scripts/train.py` and `scripts/sample.py` as processes: what a person types and sees."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from charrnn import checkpoint
from charrnn.corpus import Corpus
from charrnn.model import CharRNN
from charrnn.sampling import Dice, SamplingSettings, generate
from charrnn.training import Recipe, Training
from charrnn.vocab import Vocab
from scripts import train

REPOSITORY = Path(__file__).resolve().parents[1]
TEXT = "the quick brown fox jumps over the lazy dog.\n" * 200
SMALL = "--steps 60 --batch 8 --seq-len 16 --hidden-dim 16 --save-every 7 --threads 1".split()


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def command(script, *arguments):
    return [sys.executable, str(REPOSITORY / "scripts" / script), *map(str, arguments)]


def call(script, *arguments, **environment):
    return subprocess.run(
        command(script, *arguments), capture_output=True, text=True, env=os.environ | environment, timeout=120
    )


def weights(folder):
    return checkpoint.load(folder).model.state_dict()


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_prints_its_curve_and_a_sample_and_leaves_a_whole_checkpoint(corpus, tmp_path):
    out = tmp_path / "rnn"
    result = call("train.py", "--data", corpus, "--out", out, *SMALL)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("step ")] == ["0", "10", "30", "60"]
    assert "----- T=0.8 -----" in lines
    assert all(word in lines[0] for word in ("loss=", "ppl=", "bpc=", "val_loss=", "val_ppl=", "val_bpc="))
    info = checkpoint.describe(out)
    assert info.saved_steps == [0, 10, 30, 60]
    assert [point.step for point in info.history] == [0, 10, 30, 60]
    assert info.metrics["val_stream_nats"] == pytest.approx(info.history[-1].val_loss_nats)
    assert not (out / "training.safetensors").exists()


def test_after_ten_kills_at_random_moments_the_newest_checkpoint_loads_and_the_run_ends_in_the_same_weights(
    corpus, tmp_path
):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    flags = ["--data", corpus, *SMALL, "--steps", 3000, "--save-every", 50]
    assert call("train.py", "--out", undisturbed, *flags).returncode == 0
    moments = random.Random(1)
    for kill in range(10):
        resume = ["--resume"] if kill else []
        process = subprocess.Popen(
            command("train.py", "--out", killed, *flags, *resume), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for_save(killed, process)
        time.sleep(moments.uniform(0, 0.2))
        assert process.poll() is None, "the run ended before it was killed: give it more steps"
        process.kill()
        process.wait()
        checkpoint.load(killed)
        assert 0 < checkpoint.load_run(killed)[1]["step"] < 3000
    result = call("train.py", "--data", corpus, "--out", killed, "--resume")
    assert result.returncode == 0, result.stderr
    assert same(weights(undisturbed), weights(killed))
    for step in checkpoint.describe(undisturbed).saved_steps:
        assert same(*(checkpoint.load(folder, step).model.state_dict() for folder in (undisturbed, killed)))


def wait_for_save(out, process):
    """Until the run has been saved by this process, after at least one step."""
    path, before = out / "training.safetensors", None
    while True:
        assert process.poll() is None
        now = path.stat().st_mtime_ns if path.exists() else None
        if before is not None and now != before and checkpoint.load_run(out)[1]["step"] > 0:
            return
        before = now if before is None else before
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_saves_and_says_how_to_go_on(corpus, tmp_path, number):
    out = tmp_path / "rnn"
    process = subprocess.Popen(
        command("train.py", "--data", corpus, "--out", out, "--steps", 10**6, *SMALL[2:]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while not process.stdout.readline().startswith("step 10 "):
        assert process.poll() is None
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    _, run = checkpoint.load_run(out)
    assert f"stopped at step {run['step']}: go on with --resume" in errors
    assert checkpoint.load(out).step == run["step"] >= 10


def test_an_unfinished_run_does_not_replace_a_finished_checkpoint(corpus, tmp_path):
    out = tmp_path / "rnn"
    assert call("train.py", "--data", corpus, "--out", out, *SMALL).returncode == 0
    before = weights(out)
    process = subprocess.Popen(
        command("train.py", "--data", corpus, "--out", out, "--seed", 1, *SMALL, "--steps", 10**6),
        stdout=subprocess.DEVNULL,
    )
    while not checkpoint.holds_run(out):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert same(before, weights(out))
    refused = call("train.py", "--data", corpus, "--out", out, *SMALL)
    assert refused.returncode == 2
    assert "unfinished run: go on with --resume" in refused.stderr


def test_a_run_that_diverges_names_step_norm_and_the_last_good_checkpoint(corpus, tmp_path):
    out = tmp_path / "rnn"
    exploding = ["--learning-rate", 1000, "--max-grad-norm", 0, "--warmup-steps", 0, "--weight-decay", 900]
    result = call("train.py", "--data", corpus, "--out", out, *SMALL, *exploding)
    assert result.returncode == 1
    assert "diverged at step" in result.stderr and "gradient norm" in result.stderr
    assert f"{out}, step {checkpoint.load(out).step}; to try again, remove" in result.stderr
    (out / "training.safetensors").unlink()
    assert call("train.py", "--data", corpus, "--out", out, *SMALL).returncode == 0


@pytest.mark.parametrize(
    ("content", "flags", "reason"),
    [
        (b"", [], "is empty"),
        (b"\xff\xfe", [], "not UTF-8"),
        (b"short", [], "shorter seq_len"),
        (None, [], "cannot read"),
        (TEXT.encode(), ["--learning-rate", "-1"], "learning_rate is -1"),
        (TEXT.encode(), ["--resume"], "no unfinished run"),
        (TEXT.encode(), ["--max-grad-norm", "inf"], "max_grad_norm is inf"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, content, flags, reason):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    result = call("train.py", "--data", path, "--out", tmp_path / "rnn", *flags)
    assert result.returncode == 2
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_resume_refuses_another_recipe_and_another_text(corpus, tmp_path):
    out = tmp_path / "rnn"
    process = subprocess.Popen(
        command("train.py", "--data", corpus, "--out", out, *SMALL, "--steps", 10**6), stdout=subprocess.DEVNULL
    )
    while not checkpoint.holds_run(out):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    for flags, reason in {
        ("--batch", 9): "has batch 8, not 9",
        ("--seed", 5): "has seed 0, not 5",
        ("--recipe", "lab"): "not",
    }.items():
        result = call("train.py", "--data", corpus, "--out", out, "--resume", *flags)
        assert (result.returncode, reason in result.stderr) == (2, True)
    other = tmp_path / "other.txt"
    other.write_text(TEXT.upper(), encoding="utf-8")
    result = call("train.py", "--data", other, "--out", out, "--resume")
    assert (result.returncode, "give the same --data" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda tensors, run: run.pop("step"),
        lambda tensors, run: run.update(recipe={"steps": 5, "magic": 1}),
        lambda tensors, run: run.update(history=[{"step": 1}]),
        lambda tensors, run: run.update(losses=["x"]),
        lambda tensors, run: tensors.pop("rng"),
        lambda tensors, run: tensors.pop("model.head.bias"),
        lambda tensors, run: tensors.update({"else": torch.zeros(1)}),
        lambda tensors, run: tensors["model.head.bias"].fill_(float("nan")),
    ],
)
def test_a_damaged_run_is_refused_in_one_line(corpus, tmp_path, damage):
    training = Training(Corpus.from_text(TEXT), Recipe(steps=50, batch=2, seq_len=4, hidden_dim=4))
    training.measure()
    training.advance()
    tensors, run = training.state()
    damage(tensors, run)
    checkpoint.save_run(tmp_path, tensors, run | {"threads": 1})
    result = call("train.py", "--data", corpus, "--out", tmp_path, "--resume")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1


def test_resume_uses_the_threads_of_the_run(corpus, tmp_path):
    training = Training(Corpus.from_text(TEXT), Recipe(steps=2, batch=2, seq_len=4, hidden_dim=4))
    tensors, run = training.state()
    before = torch.get_num_threads()
    try:
        for threads, flags, expected in [(1, [], 1), (2, [], 2), (2, ["--threads", "1"], 1)]:
            checkpoint.save_run(tmp_path, tensors, run | {"threads": threads})
            options = train.parse(["--out", str(tmp_path), "--resume", *flags])
            train.start(options, Corpus.from_text(TEXT))
            assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)


def test_the_sample_script_writes_what_python_writes():
    arguments = ["--prompt", "JULIET:", "--chars", 80, "--temperature", 0.9, "--top-k", 12, "--top-p", 0.9, "--seed", 5]
    result = call("sample.py", "--checkpoint", "rnn", *arguments)
    loaded = checkpoint.load(REPOSITORY / "checkpoints/rnn")
    decoder, settings = loaded.model.decoder(), SamplingSettings(0.9, 12, 0.9)
    steps = generate(decoder, decoder.prefill(loaded.vocab.encode("JULIET:")), 80, settings, Dice(5))
    assert result.stdout == "JULIET:" + loaded.vocab.decode(step.id for step in steps) + "\n"
    ctx = torch.tensor([loaded.vocab.encode("JULIET:")])
    ids = loaded.model.sample(ctx, 80, temperature=0.9, top_k=12, top_p=0.9, seed=5)
    assert result.stdout == loaded.vocab.decode(ids[0].tolist()) + "\n"


def test_the_sample_script_writes_with_a_lab_solution(tmp_path, corpus):
    vocab = Vocab.from_text(TEXT)
    solution = CharRNN(len(vocab), 8)
    save_file(solution.state_dict(), tmp_path / "solution.safetensors")
    result = call(
        "sample.py",
        "--state-dict",
        tmp_path / "solution.safetensors",
        "--data",
        corpus,
        "--prompt",
        "fox",
        "--chars",
        20,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("fox") and len(result.stdout) == 24


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--checkpoint", "nowhere"], "cannot read"),
        (["--prompt", "Ω"], "'Ω' at position 0"),
        (["--temperature", "-1"], "temperature is -1"),
        (["--top-p", "0"], "top_p is 0"),
        (["--seed", "-1"], "seed is -1"),
        (["--step", "7"], "has no step 7"),
        (["--state-dict", "solution.pt", "--data", str(Path(__file__))], "cannot read"),
    ],
)
def test_what_the_sample_script_cannot_do_is_one_line_and_exit_code_2(flags, reason):
    result = call("sample.py", *flags)
    assert result.returncode == 2
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("script", "flags"),
    [
        ("sample.py", ["--data", "text.txt"]),
        ("sample.py", ["--state-dict", "solution.safetensors", "--step", "10"]),
        ("sample.py", ["--chars", "-1"]),
        ("train.py", ["--threads", "99999999999"]),
        ("train.py", ["--seed", "-1"]),
        ("train.py", ["--seed", "99999999999999999999999"]),
        ("train.py", ["--save-every", "0"]),
    ],
)
def test_flags_that_make_no_sense_are_refused_by_name(script, flags):
    result = call(script, *flags)
    assert result.returncode == 2
    assert flags[-2] in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_full_disk_behind_stdout_is_one_line():
    with open("/dev/full", "w") as full:
        result = subprocess.run(command("sample.py"), stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr


def test_a_pipe_that_knows_few_characters_still_gets_the_text(tmp_path):
    text = "αβγδε ζηθ\n" * 300
    (tmp_path / "greek.txt").write_text(text, encoding="utf-8")
    result = call(
        "train.py", "--data", tmp_path / "greek.txt", "--out", tmp_path / "rnn", *SMALL, PYTHONIOENCODING="ascii"
    )
    assert result.returncode == 0, result.stderr
    assert "\\u03b1" in result.stdout


def test_a_failed_push_keeps_the_result_and_prints_the_line_that_retries(corpus, tmp_path):
    out = tmp_path / "rnn"
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:1", "HF_TOKEN": "hf_not_a_token", "HF_HOME": str(tmp_path / "home")}
    result = call("train.py", "--data", corpus, "--out", out, *SMALL, "--push-to-hub", "someone/rnn", **nowhere)
    assert result.returncode == 1
    assert "hf_not_a_token" not in result.stdout + result.stderr
    assert "someone/rnn" in result.stderr and str(out) in result.stderr
    assert checkpoint.load(out).step == 60
