"""`--all` under torchrun: the same table from one process and from two, and after one of them was killed."""

from collections import Counter
from pathlib import Path

import pytest

from charrnn import checkpoint
from charrnn.commands import train
from charrnn.training import Crew
from tests.calling import said
from tests.launching import launch

pytestmark = pytest.mark.process

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 60
TINY = "--steps 4 --batch 2 --seq-len 8 --hidden-dim 8 --save-every 2".split()
FEW = ["rnn", "gru", "lstm"]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def launched(root):
    """torchrun with so many processes -> its exit code, the table, all of what was said."""
    (root / "text.txt").write_text(TEXT, encoding="utf-8")

    def train_all(processes: int, out: str, **environment: str) -> tuple[int, list[str], str]:
        flags = ["--all", "--data", root / "text.txt", "--out", root / out, *TINY]
        run = launch(root, "train", processes, FEW, *flags, **environment)
        table = [line for line in run.stdout.splitlines() if line.split()[:1] and line.split()[0] in FEW]
        return run.returncode, table, run.stdout + run.stderr

    return train_all


@pytest.fixture(scope="module")
def alone(launched) -> tuple[int, list[str], str]:
    return launched(1, "one")


def test_the_table_does_not_depend_on_how_many_processes_there_are(launched, alone, root):
    one = alone[1]
    assert alone[0] == 0, alone[2]
    shared, two, heard = launched(2, "two")
    assert shared == 0, heard
    assert one == two and [line.split()[0] for line in one] == FEW
    assert len({line.split()[-1] for line in one}) == len(FEW), "each has weights of its own"
    assert Counter(line for line in heard.splitlines() if line.endswith(": starts")) == {f"{n}: starts": 1 for n in FEW}
    row = train.table_row(checkpoint.load(root / "two/gru"))
    assert row == two[1]


def test_after_a_process_was_killed_only_what_is_missing_is_trained(launched, alone, root, capsys, monkeypatch):
    code, table, _ = launched(2, "killed", DIES="gru")
    assert code != 0 and table == []
    done = {path.name for path in (root / "killed").iterdir() if train.finished(path)}
    stamps = {name: (root / "killed" / name / "model.safetensors").stat().st_mtime_ns for name in done}
    assert "gru" not in done
    monkeypatch.setattr(train, "RECIPES", {name: train.RECIPES[name] for name in FEW})
    monkeypatch.setattr(train, "PASSAGE_CHARS", 5)
    monkeypatch.setattr(train, "SAMPLE_CHARS", 5)
    again = said(
        capsys, train.main, "--all", "--data", root / "text.txt", "--out", root / "killed", *TINY, "--threads", 1
    )
    assert again.code == 0 and "gru: goes on" in again.out.splitlines()
    assert {name: (root / "killed" / name / "model.safetensors").stat().st_mtime_ns for name in done} == stamps
    assert [train.table_row(checkpoint.load(root / "killed" / name)) for name in FEW] == alone[1]


def test_a_process_alone_takes_everything_and_waits_for_nobody():
    crew = Crew()
    assert (crew.rank, crew.size) == (0, 1)
    assert list(crew.share("abc")) == ["a", "b", "c"]
    crew.wait()
