"""The lab sheet's answers: docs/lab_sheet.json follows from the records."""

import json
import shlex
from pathlib import Path

import pytest

from charrnn.bench import run_bench
from charrnn.commands import analyse, evaluate, train
from charrnn.study import lab_sheet_answers as answers
from charrnn.study import run_study
from charrnn.study.load_records import Records
from tests.cli import ROOT
from tests.test_lab_sheet_claims import Planted

SCRIPTS = {
    "scripts/train.py": train.parse,
    "scripts/bench.py": lambda words: run_bench.parser().parse_args(words),
    "scripts/study.py": lambda words: run_study.parser().parse_args(words),
    "scripts/evaluate.py": evaluate.parse,
    "scripts/analyse.py": analyse.parse,
}


def test_answers_cover_the_sheet_with_figures():
    sections = json.loads(answers.lab_sheet(Records(ROOT)))["sections"]
    expected = ["0", "1–2", *"345678", *(f"Stretch {n}" for n in range(1, 8))]
    assert [section["key"] for section in sections] == expected
    for section in sections:
        for answer in section["answers"]:
            assert answer["verdict"] != answers.NOT_MEASURED, answer
            assert any(character.isdigit() for character in answer["finding"]) and answer["commands"]


def test_answer_commands_parse():
    for command in {command for section in answers.SECTIONS for each in section.answers for command in each.commands}:
        python, script, *words = shlex.split(command)
        assert python == "python" and (ROOT / script).is_file()
        SCRIPTS[script](words)


def test_missing_record_names_its_command(tmp_path: Path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "study.json").write_text("{}")
    (relu,) = [each for section in answers.SECTIONS if section.key == "1–2" for each in section.answers]
    shown = relu.record(Records(tmp_path))
    assert shown["verdict"] == answers.NOT_MEASURED and "run python scripts/study.py relu" in shown["finding"]


@pytest.mark.parametrize(("gru", "verdict"), [(1.48, "gru"), (1.495, "open"), (1.52, "lstm")])
def test_two_runs_are_undecided_within_the_seeds(gru: float, verdict: str):
    held_out = {"gru": gru, "lstm": 1.5, "rnn": 1.55, "rnn-seed1": 1.56, "rnn-seed2": 1.565}
    planted = Planted(losses={(name, "val_stream_nats"): nats for name, nats in held_out.items()})
    assert answers.undecided(planted, "gru", "lstm").verdict == verdict


def test_share_interval_matches_published_values():
    # R: binom.test(k, n)$conf.int
    for count, of, low, high in ((0, 3, 0, 0.7075982), (9, 9, 0.6637329, 1), (2, 5, 0.05274495, 0.8533672)):
        assert answers.share_interval(count, of) == pytest.approx((low, high), abs=1e-6)
