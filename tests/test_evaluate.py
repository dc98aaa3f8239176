"""`scripts/evaluate.py` measures checkpoints and checks recorded losses."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from charrnn import checkpoint
from charrnn.commands import evaluate
from charrnn.corpus import Corpus
from charrnn.training import Recipe, Training
from tests.checkpoint_files import rewrite_checkpoint, write_training
from tests.cli import run_main

TEXT = "".join(chr(ord("a") + (7 * i * i + i // 5) % 23) for i in range(9000))
TINY = Recipe(steps=3, batch=4, seq_len=16, hidden_dim=8, keep_steps=True)
RECIPES = {
    "rnn": TINY,
    "stateful gru": replace(TINY, cell="gru", stateful=True, dropout=0.3),
    "lstm with layer norm": replace(TINY, cell="lstm", layer_norm=True, keep_steps=False),
    "minigpt": replace(TINY, cell="minigpt", dropout=0.1),
}


def write_checkpoint(folder: Path, recipe: Recipe = TINY, claims: Mapping[str, Any] | None = None) -> Path:
    """Write a network after three updates; `claims` replace metrics, None removes one."""
    training = Training(Corpus.from_text(TEXT), recipe, seed=3)
    training.measure()
    while not training.finished:
        training.advance()
    training.measure()
    training.round_to_fp16()
    metrics = training.metrics() | dict(claims or {})
    write_training(folder, training, metrics={name: value for name, value in metrics.items() if value is not None})
    return folder


@pytest.fixture
def run_evaluate(capsys, tmp_path):
    """Call the script on the text in this process."""
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return lambda *arguments: run_main(capsys, evaluate.main, "--data", path, *arguments)


def test_evaluate_confirms_several_checkpoints(tmp_path, run_evaluate):
    folders = [write_checkpoint(tmp_path / name, recipe) for name, recipe in RECIPES.items()]
    result = run_evaluate(*folders)
    assert (result.code, result.err) == (0, "")
    head, *rows, chance = result.out.splitlines()
    assert head.split() == list(evaluate.COLUMNS)
    assert chance == f"by chance, ln 23: {math.log(23):.4f}"
    for row, folder in zip(rows, folders, strict=True):
        assert row.startswith(folder.name)
        train, stream, recorded, cold, recorded_cold, bits, perplexity, *untrained = map(
            float, row.removeprefix(folder.name).split()
        )
        metrics = checkpoint.describe(folder).metrics
        expected = [round(metrics[name], 4) for name in ("val_stream_nats", "val_cold_nats")]
        assert [recorded, recorded_cold] == expected
        assert stream == pytest.approx(recorded, abs=2e-4) and cold == pytest.approx(recorded_cold, abs=2e-4)
        assert bits == pytest.approx(stream / math.log(2), abs=2e-4)
        assert perplexity == pytest.approx(math.exp(stream), rel=2e-4)
        assert train == pytest.approx(metrics["train_loss_nats"], abs=0.5)
        assert len(untrained) == (folder.name != "lstm with layer norm")
        assert all(loss == pytest.approx(math.log(23), abs=0.5) for loss in untrained)


@pytest.mark.parametrize("name", ["val_stream_nats", "val_cold_nats"])
def test_evaluate_notices_one_wrong_claim(tmp_path, run_evaluate, name):
    right, wrong = write_checkpoint(tmp_path / "right"), write_checkpoint(tmp_path / "wrong", claims={name: 1.2})
    result = run_evaluate(wrong, right)
    assert result.code == 1
    assert len(result.err.splitlines()) == 1
    assert f"{wrong} records other losses: val {name.split('_')[1]} by " in result.err
    assert sum(line.startswith(("right", "wrong")) for line in result.out.splitlines()) == 2


def test_evaluate_compares_recorded_losses_of_same_text(tmp_path):
    folder = write_checkpoint(tmp_path / "partial", claims={"val_stream_nats": None, "val_cold_nats": 1.5})
    same, other = evaluate.evaluate(folder, TEXT), evaluate.evaluate(folder, TEXT[::-1])
    assert (same.recorded_stream_nats, same.recorded_cold_nats) == (None, 1.5) and same.differing
    assert (other.recorded_stream_nats, other.recorded_cold_nats) == (None, None) and not other.differing


def test_evaluate_continues_after_bad_folder(tmp_path, run_evaluate):
    good, empty = write_checkpoint(tmp_path / "good"), tmp_path / "empty"
    empty.mkdir()
    wrong = write_checkpoint(tmp_path / "wrong", claims={"val_cold_nats": 1.2})
    result = run_evaluate(empty, wrong, good)
    assert result.code == 2
    assert len(result.err.splitlines()) == 2
    assert "cannot read" in result.err.splitlines()[0]
    assert sum(line.startswith(("good", "wrong")) for line in result.out.splitlines()) == 2


def test_evaluate_refuses_invalid_recipe(tmp_path, run_evaluate):
    folder = write_checkpoint(tmp_path / "odd")
    for wrong in ({}, {"batch": "4", "seq_len": 16}, {"batch": 4, "seq_len": 10**9}):
        rewrite_checkpoint(folder, recipe=wrong)
        result = run_evaluate(folder)
        assert (result.code, len(result.err.splitlines())) == (2, 1)
        assert "the recipe in" in result.err


def test_evaluate_refuses_unknown_characters(tmp_path, run_evaluate):
    other = tmp_path / "other.txt"
    other.write_text(TEXT + "É")
    result = run_evaluate(write_checkpoint(tmp_path / "good"), "--data", other)
    assert result.code == 2
    assert "É" in result.err and result.err.count("\n") == 1
