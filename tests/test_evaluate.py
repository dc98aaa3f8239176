"""`scripts/evaluate.py` measures a checkpoint from its file, and notices when that is not what the checkpoint says."""

import math
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from charrnn import checkpoint
from charrnn.corpus import Corpus
from charrnn.training import Recipe, Training
from scripts import evaluate

TEXT = "".join(chr(ord("a") + (7 * i * i + i // 5) % 23) for i in range(9000))


def write_checkpoint(folder: Path, **claims: float) -> Path:
    """A network after three updates, its step 0 kept; `claims` replace what it says of itself."""
    training = Training(Corpus.from_text(TEXT), Recipe(steps=3, batch=4, seq_len=16, hidden_dim=8), seed=3)
    training.measure()
    while not training.finished:
        training.advance()
    training.measure()
    checkpoint.save(
        folder,
        training.model,
        training.corpus.vocab,
        step=training.step,
        seed=3,
        recipe=asdict(training.recipe),
        data_sha256=training.corpus.sha256,
        metrics=training.metrics() | claims,
        history=training.history,
        saved=training.saved,
    )
    return folder


@pytest.fixture
def data(tmp_path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def test_an_honest_checkpoint_is_confirmed(tmp_path, data, capsys):
    folder = write_checkpoint(tmp_path / "honest")
    assert evaluate.main([str(folder), "--data", str(data)]) == 0
    table = capsys.readouterr().out
    info = checkpoint.describe(folder)
    for name in ("val_stream_nats", "val_cold_nats"):
        assert table.count(f"{info.metrics[name]:.4f}") >= 2, "once found, once recorded"


@pytest.mark.parametrize("name", ["val_stream_nats", "val_cold_nats"])
def test_a_claim_that_does_not_hold_is_noticed(tmp_path, data, capsys, name):
    folder = write_checkpoint(tmp_path / "bold", **{name: 1.2})
    assert evaluate.main([str(folder), "--data", str(data)]) == 1
    assert name.split("_")[1] in capsys.readouterr().err


def test_cold_is_what_the_readable_loop_finds(tmp_path):
    """The figure by the protocol itself: every window of 256 from a zero state, through `forward`."""
    folder = write_checkpoint(tmp_path / "honest")
    trained = checkpoint.load(folder)
    ids = torch.tensor(trained.vocab.encode(TEXT[int(0.9 * len(TEXT)) :]))
    losses = []
    for start in range(0, len(ids) - 257, 256):
        with torch.no_grad():
            logits, _ = trained.model(ids[None, start : start + 256])
        losses.append(F.cross_entropy(logits[0], ids[start + 1 : start + 257]).item())
    found = {figure.name: figure.found_nats for figure in evaluate.evaluate(folder, TEXT)}
    assert found["val cold"] == pytest.approx(sum(losses) / len(losses), abs=1e-5)
    assert found["step 0, minibatches"] == pytest.approx(math.log(23), abs=0.5)


def test_another_text_is_measured_but_not_compared(tmp_path):
    folder = write_checkpoint(tmp_path / "honest", val_stream_nats=0.1)
    figures = evaluate.evaluate(folder, TEXT[::-1])
    assert not any(figure.differs for figure in figures)
    assert all(figure.recorded_nats is None for figure in figures)


def test_a_text_with_unknown_characters_is_an_error_in_one_line(tmp_path, capsys):
    folder = write_checkpoint(tmp_path / "honest")
    other = tmp_path / "other.txt"
    other.write_text(TEXT + "É")
    assert evaluate.main([str(folder), "--data", str(other)]) == 2
    message = capsys.readouterr().err
    assert "É" in message and message.count("\n") == 1
