"""Measurements never overwrite files of other programs."""

import os
from dataclasses import replace

import pytest

from charrnn import checkpoint
from charrnn.checkpoint import ANALYSES
from charrnn.commands import analyse, app, evaluate
from charrnn.study import report, run_study, study_parts
from tests.cli import run_main
from tests.test_evaluate import TEXT, write_checkpoint
from tests.test_overwrite_rules import everything

NO_GRAD = ("no_grad", "--chars", 4, "--rounds", 1, "--hidden-dim", 4)


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path / "text.txt"


def measure_nothing(*arguments):
    raise AssertionError("measured")


FOREIGN = {
    "another program's": lambda path: path.write_text('{"loss": 1}'),
    "a list": lambda path: path.write_text("[]"),
    "no JSON": lambda path: path.write_text("do not lose"),
    "a folder": lambda path: path.mkdir(),
    "a link": lambda path: (path.with_name("mine").write_text("mine"), path.symlink_to("mine")),
    "a newer format": lambda path: path.write_text('{"format": 2, "sha256": "", "sections": {}, "ngram": {"rows": 1}}'),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_analyses_and_studies_are_kept(text, tmp_path, capsys, monkeypatch, kind):
    folder = write_checkpoint(tmp_path / "one")
    FOREIGN[kind](folder / ANALYSES)
    FOREIGN[kind](tmp_path / "study.json")
    before = everything(tmp_path)
    monkeypatch.setattr(analyse, "ANALYSES", dict.fromkeys(analyse.ANALYSES, measure_nothing))
    monkeypatch.setitem(study_parts.PARTS, "no_grad", study_parts.Part(measure_nothing, ("chars",), (), ""))
    for flags in ([], ["--anew"]):
        analysed = run_main(capsys, analyse.main, folder, "--data", text, *flags)
        studied = run_main(capsys, run_study.main, *NO_GRAD, "--data", text, "--out", tmp_path / "study.json", *flags)
        for result, name in ((analysed, ANALYSES), (studied, "study.json")):
            assert result.code == 2 and name in result.err and len(result.err.splitlines()) == 1
    assert everything(tmp_path) == before


def test_failed_study_part_keeps_old_rows(text, tmp_path, capsys, monkeypatch):
    out = tmp_path / "study.json"
    arguments = [*NO_GRAD, "--data", text, "--out", out]
    assert run_main(capsys, run_study.main, *arguments).code == 0
    before = out.read_bytes()

    def fail(*arguments):
        raise ValueError("this cannot be measured")
        yield

    part = study_parts.PARTS["no_grad"]
    monkeypatch.setitem(study_parts.PARTS, "no_grad", replace(part, measure=fail))
    refused = run_main(capsys, run_study.main, *arguments, "--anew")
    assert (refused.code, refused.err) == (2, "this cannot be measured\n") and out.read_bytes() == before


def test_evaluate_writes_nothing(text, tmp_path, capsys):
    folder = write_checkpoint(tmp_path / "one")
    before = everything(tmp_path)
    assert run_main(capsys, evaluate.main, folder, "--data", text).code == 0
    assert everything(tmp_path) == before


def test_report_does_not_write_through_link(tmp_path, monkeypatch):
    (tmp_path / "mine.md").write_text("mine")
    (tmp_path / "README.md").symlink_to("mine.md")
    monkeypatch.setattr(report, "generated_files", lambda root: {root / "README.md": "new"})
    with pytest.raises(checkpoint.CheckpointError, match="is a link"):
        report.write(tmp_path, only_check=False)
    assert (tmp_path / "mine.md").read_text() == "mine" and os.readlink(tmp_path / "README.md") == "mine.md"


def test_report_check_writes_nothing(capsys):
    for flag in ("--runs=x", "--bench", "--engine", "--load"):
        result = run_main(capsys, report.main, "--check", flag)
        assert result.code == 2 and "--check changes nothing" in result.err


@pytest.mark.parametrize(
    ("main", "arguments"),
    [(analyse.main, ["--data", ""]), (evaluate.main, [""]), (app.parse, ["--checkpoints", ""])],
)
def test_empty_path_is_refused(main, arguments, capsys):
    result = run_main(capsys, main, *arguments)
    assert result.code == 2 and "it is empty: give a " in result.err
