"""The lab sheet's answers: docs/lab_sheet.json follows from the records."""

import json
import shlex
from pathlib import Path

import pytest

from charrnn.bench import run_bench
from charrnn.commands import analyse, evaluate, train
from charrnn.study import lab_sheet_answers as answers
from charrnn.study import study_flags
from charrnn.study.stored_records import Records
from tests.cli import ROOT
from tests.test_lab_sheet_claims import Planted

SCRIPTS = {
    "scripts/train.py": train.parse,
    "scripts/bench.py": lambda words: run_bench.parser().parse_args(words),
    "scripts/study.py": lambda words: study_flags.study_parser().parse_args(words),
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


@pytest.mark.parametrize(("gru", "verdict"), [(1.44, "gru"), (1.495, "open"), (1.56, "lstm")])
def test_better_recipe_is_open_within_the_seeds(tmp_path: Path, gru: float, verdict: str):
    held_out = {"gru": [gru], "lstm": [1.5], "rnn": [1.55, 1.56, 1.565]}
    assert answers.better_of(Planted(tmp_path, held_out), "gru", "lstm").verdict == verdict
