"""`--all` under torchrun, with one killed process."""

import pytest

from charrnn import checkpoint
from charrnn.commands import train, train_all, train_run
from charrnn.training import WorkQueue
from tests.cli import run_main
from tests.torchrun import finished_runs, run_torchrun

pytestmark = pytest.mark.process

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 60
TINY = "--steps 4 --batch 2 --seq-len 8 --hidden-dim 8 --save-every 2".split()
FEW = ["rnn", "gru", "lstm"]


def rows(out: str) -> list[str]:
    """The rows of the printed table."""
    return [line for line in out.splitlines() if line.split()[:1] and line.split()[0] in FEW]


def test_killed_process_leaves_rest_to_resume(tmp_path, capsys, monkeypatch):
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    flags = ["--all", "--data", tmp_path / "text.txt", *TINY]
    killed = run_torchrun(tmp_path, "train", 2, FEW, *flags, "--out", tmp_path / "killed", DIES="gru")
    assert killed.returncode != 0 and rows(killed.stdout) == []
    done = finished_runs(tmp_path / "killed")
    stamps = {name: (tmp_path / "killed" / name / "model.safetensors").stat().st_mtime_ns for name in done}
    assert "gru" not in done
    monkeypatch.setattr(train_all, "RECIPES", {name: train_all.RECIPES[name] for name in FEW})
    monkeypatch.setattr(train_run, "PASSAGE_CHARS", 5)
    monkeypatch.setattr(train_run, "SAMPLE_CHARS", 5)
    resumed = run_torchrun(tmp_path, "train", 2, FEW, *flags, "--out", tmp_path / "killed")
    assert resumed.returncode == 0 and resumed.stdout.splitlines().count("gru: goes on") == 1, resumed.stderr
    assert run_main(capsys, train.main, *flags, "--out", tmp_path / "alone", "--threads", 1).code == 0
    assert {name: (tmp_path / "killed" / name / "model.safetensors").stat().st_mtime_ns for name in done} == stamps
    killed_rows, alone_rows = (
        [train_all.table_row(checkpoint.load(tmp_path / out / name)) for name in FEW] for out in ("killed", "alone")
    )
    assert rows(resumed.stdout) == killed_rows == alone_rows
    assert len({line.split()[-1] for line in alone_rows}) == len(FEW), "different weights"


def test_single_process_takes_all_work():
    queue = WorkQueue()
    assert (queue.rank, queue.size) == (0, 1)
    assert list(queue.share("abc")) == ["a", "b", "c"]
    queue.wait()
