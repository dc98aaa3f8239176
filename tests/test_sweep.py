"""Sweeps: grid, table, processes and failures."""

import math
import signal
import statistics
from pathlib import Path

import pytest

from charrnn import checkpoint
from charrnn.commands import sweep, train_all, train_flags, train_run
from charrnn.training import DivergedError, Training
from tests.cli import interrupted, run_main
from tests.torchrun import finished_runs, run_torchrun

pytestmark = pytest.mark.process

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 60
TINY = "--steps 4 --batch 2 --seq-len 8 --save-every 2".split()
GRID = ["--recipe", "rnn", "gru", "--hidden-dim", 6, 8, "--seed", 0, 1, *TINY]
RUNS = [
    f"{cell}-hidden_dim={units}-steps=4-batch=2-seq_len=8-seed={seed}"
    for cell in ("rnn", "gru")
    for units in (6, 8)
    for seed in (0, 1)
]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sweep")
    (root / "text.txt").write_text(TEXT, encoding="utf-8")
    return root


@pytest.fixture
def typed(capsys, monkeypatch, root):
    """Call the script in this process with short texts."""
    monkeypatch.setattr(train_run, "PASSAGE_CHARS", 5)
    monkeypatch.setattr(train_run, "SAMPLE_CHARS", 5)
    return lambda *arguments: run_main(capsys, sweep.main, "--data", root / "text.txt", *arguments)


def heads(out: str) -> list[str]:
    """The first line of each run."""
    return [line for line in out.splitlines() if line.partition(": ")[0] in RUNS]


def table(out: str) -> list[str]:
    """The rows of the table."""
    lines = out.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("configuration ")) + 1 :]


def weights(folder: Path) -> dict[str, str]:
    return {name: checkpoint.sha256_tensors(checkpoint.load(folder / name).model.state_dict()) for name in RUNS}


def test_sweep_is_product_of_flags(tmp_path):
    flags = "--recipe lstm rnn-lab --layer-norm no yes --dropout 0.5 --seed 3 4 3 --data my.txt --into"
    runs = sweep.runs_of(sweep.parse([*flags.split(), str(tmp_path)]))
    assert [run.name for run in runs] == [
        f"{recipe}-layer_norm={norm}-dropout=0.5-seed={seed}"
        for recipe in ("lstm", "rnn-lab")
        for norm in ("no", "yes")
        for seed in (3, 4)
    ], "a repeated seed counts once"
    assert {run.configuration for run in runs} == {
        f"{recipe} layer_norm={norm}" for recipe in ("lstm", "rnn-lab") for norm in ("no", "yes")
    }
    last = train_flags.recipe_from_flags(runs[-1].options, runs[-1].options.recipe)
    rate = train_all.RECIPES["rnn-lab"].learning_rate
    assert (last.cell, last.layer_norm, last.dropout, last.learning_rate) == ("rnn", True, 0.5, rate)
    assert (runs[-1].options.seed, runs[-1].options.threads) == (4, 1)
    assert runs[-1].options.out == tmp_path / runs[-1].name


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ("--layer-norm maybe", "invalid choice: 'maybe'"),
        ("--seed -1", "argument --seed: it is -1: give a whole number from 0 to"),
        ("--recipe minigpt --layer-norm yes", "--layer-norm is True: that is for recurrent cells"),
        ("--into=", "argument --into: it is empty"),
    ],
)
def test_invalid_sweep_is_refused_first(typed, tmp_path, flags, reason):
    result = typed("--into", tmp_path / "none", *flags.split())
    assert result.code == 2 and reason in result.err
    assert not (tmp_path / "none").exists()


def test_sweep_table_is_independent_of_processes(root, typed):
    def launch_sweep(processes: int, into: str, **environment: str):
        flags = [*GRID, "--data", root / "text.txt", "--into", root / into]
        return run_torchrun(root, "sweep", processes, ["rnn", "gru"], *flags, **environment)

    one, two, killed = launch_sweep(1, "one"), launch_sweep(2, "two"), launch_sweep(2, "killed", DIES="gru")
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    assert table(one.stdout) == table(two.stdout)
    assert sorted(heads(one.stdout)) == sorted(heads(two.stdout)) == sorted(f"{name}: starts" for name in RUNS)
    assert weights(root / "one") == weights(root / "two") and len(set(weights(root / "one").values())) == len(RUNS)

    rows = {" ".join(line.split()[:2]): line.split()[2:] for line in table(one.stdout)}
    assert list(rows) == sorted(rows, key=lambda name: float(rows[name][2])) and len(rows) == 4, "best first"
    for name, (parameters, seeds, median, best, worst, bits) in rows.items():
        cell, units = name.split()
        infos = [checkpoint.describe(root / "one" / run) for run in RUNS if run.startswith(f"{cell}-{units}-")]
        losses = sorted(info.metrics["val_stream_nats"] for info in infos)
        assert [median, best, worst] == [f"{nats:.6f}" for nats in (statistics.median(losses), *losses)]
        assert (parameters, seeds) == (f"{infos[0].parameters:,}", "2")
        assert float(bits) == pytest.approx(statistics.median(losses) / 0.6931471805599453, abs=1e-4)

    assert killed.returncode != 0 and "configuration" not in killed.stdout
    done = finished_runs(root / "killed")
    stamps = {name: (root / "killed" / name / "model.safetensors").stat().st_mtime_ns for name in done}
    assert not any(name.startswith("gru") for name in done)
    resumed = typed(*GRID, "--into", root / "killed")
    assert resumed.code == 0, resumed.err
    assert {line.partition(": ")[0] for line in heads(resumed.out) if ": done" in line} == done
    assert {name: (root / "killed" / name / "model.safetensors").stat().st_mtime_ns for name in done} == stamps
    assert table(resumed.out) == table(one.stdout) and weights(root / "killed") == weights(root / "one")


def test_diverged_sweep_run_leaves_the_others(typed, tmp_path, monkeypatch):
    advance = Training.advance

    def advance_or_diverge(training: Training) -> None:
        if training.recipe.learning_rate == 0.5 and training.seed == 1 and training.step == 2:
            raise DivergedError(training.step, math.nan, math.nan)
        advance(training)

    monkeypatch.setattr(Training, "advance", advance_or_diverge)
    grid = ["--learning-rate", 0.5, 0.01, "--hidden-dim", 6, "--seed", 0, 1, *TINY]
    result = typed(*grid, "--into", tmp_path)
    assert result.code == 1 and "training diverged at step 2" in result.err
    rows = {line.split()[1]: line.split()[3:] for line in table(result.out)}
    assert rows["learning_rate=0.01"][0] == "2"
    assert rows["learning_rate=0.5"][:3] == ["1", "of", "2"]
    monkeypatch.setattr(Training, "advance", advance)
    resumed = typed(*grid, "--into", tmp_path)
    assert resumed.code == 0 and resumed.out.count(": done, ") == 3 and resumed.out.count(": goes on") == 1


def test_bad_sweep_runs_are_listed_in_table(typed, tmp_path):
    """A window too long, an impossible network, a damaged run state."""
    damaged = tmp_path / "rnn-hidden_dim=8-steps=4-batch=2-seq_len=8-seed=0/training.safetensors"
    damaged.parent.mkdir()
    damaged.write_bytes(b"cut off")
    grid = ["--recipe", "minigpt", "rnn", "--hidden-dim", 6, 8, *TINY[:4], "--seq-len", 8000, 8]
    result = typed(*grid, "--into", tmp_path)
    assert result.code == 1 and result.out.count(": starts") == 2
    rows = {" ".join(line.split()[:3]): line for line in table(result.out)}
    for name, reason in {
        "rnn hidden_dim=6 seq_len=8000": "which takes 8001: give 80011 or more, or a shorter --seq-len",
        "minigpt hidden_dim=8 seq_len=8000": "which takes 8001: give 80011 or more, or a shorter --seq-len",
        "minigpt hidden_dim=6 seq_len=8": "give heads that divide --hidden-dim",
        "rnn hidden_dim=8 seq_len=8": "training.safetensors is not a safetensors file",
    }.items():
        assert " 0 of 1 " in rows[name] and reason in rows[name] and reason in result.err
    assert rows["rnn hidden_dim=6 seq_len=8"].split()[4] == "1" and len(rows) == 8
    assert damaged.read_bytes() == b"cut off"
    assert {path.name for path in tmp_path.iterdir()} == {
        damaged.parent.name,
        "rnn-hidden_dim=6-steps=4-batch=2-seq_len=8-seed=0",
        "minigpt-hidden_dim=8-steps=4-batch=2-seq_len=8-seed=0",
    }, "no folder for an impossible run"


def test_sweep_numbers_are_normalised():
    flags = "--seed 0 00 +0 1 --learning-rate 0.002 2e-3 --dropout 0 -0.0 0.5 --steps 4 +4 --into x"
    assert [run.name for run in sweep.runs_of(sweep.parse(flags.split()))] == [
        f"rnn-steps=4-learning_rate=0.002-dropout={share}-seed={seed}" for share in ("0", "0.5") for seed in (0, 1)
    ]


def test_interrupted_sweep_is_resumed(typed, tmp_path):
    flags = ["--recipe", "rnn", "gru", "--hidden-dim", 6, *TINY, "--into", tmp_path]
    with interrupted(at=3, cell="gru"):
        assert typed(*flags).code == 128 + signal.SIGINT
    resumed = typed(*flags)
    lines = [line.partition(": ")[2] for line in resumed.out.splitlines() if "-seed=0: " in line]
    assert resumed.code == 0 and [line.split(",")[0] for line in lines] == ["done", "goes on"]
