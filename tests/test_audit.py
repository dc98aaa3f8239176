"""`make audit` tells what is known against the dependencies, and never takes silence for a clean bill."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch

from scripts import audit

# What pip-audit would answer, by service: played from a file; no answer is a crash.
PLAYED = """
import json, sys
wanted = sys.argv[sys.argv.index("-r") + 1]
service = sys.argv[sys.argv.index("--vulnerability-service") + 1]
answers = json.load(open({answers!r}))
if service not in answers:
    sys.exit("Traceback ...\\nConnectionError: the service is away")
lines = [line.strip().split("==") for line in open(wanted)]
known = [dict(name=name, version=version, vulns=answers[service].get(name, [])) for name, version in lines]
print(json.dumps(dict(dependencies=[
    dict(name=each["name"], skip_reason="not found") if each["vulns"] is None else each for each in known
])))
"""
FLAW = {"id": "CVE-2026-1", "fix_versions": ["6.32.0"], "aliases": [], "description": "…"}


@pytest.mark.parametrize(
    ("answers", "code", "out", "err"),
    [
        ({"pypi": {}}, 0, "packages: nothing is known against any of them", ""),
        ({"pypi": {"gradio": [FLAW]}}, 1, "gradio 6.31.0: CVE-2026-1, mended in 6.32.0", ""),
        ({"pypi": {"gradio": [FLAW | {"fix_versions": []}]}}, 1, "CVE-2026-1, mended in no version", ""),
        ({"pypi": {"gradio": None}, "osv": {}}, 0, "nothing is known", ""),
        ({"pypi": {"gradio": None}, "osv": {"gradio": [FLAW]}}, 1, "gradio 6.31.0: CVE-2026-1", ""),
        (
            {"pypi": {"gradio": None}},
            2,
            "",
            r"osv.dev could not be asked: Conn.* is away\n.*1 of \d+ packages .*: gradio",
        ),
        ({}, 2, "", r"pypi.org could not be asked.*\n.*osv.dev could not be asked.*\n.* could not be looked up: "),
    ],
)
def test_what_is_known_is_told_and_what_could_not_be_looked_up_is_no_success(
    tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch, answers, code, out, err
):
    monkeypatch.setattr(audit, "installed", lambda: {"gradio": "6.31.0", "torch": "2.13.0", "plotly": "7.1.0"})
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    (tmp_path / "played.py").write_text(PLAYED.format(answers=str(tmp_path / "answers.json")))
    capsys.readouterr()
    assert audit.main([sys.executable, str(tmp_path / "played.py")]) == code
    told = capsys.readouterr()
    assert out in told.out and bool(out) == bool(told.out)
    assert re.search(err, told.err) and bool(err) == bool(told.err)


def test_a_pip_audit_that_is_not_there_is_no_success(capsys):
    assert audit.main(["/nowhere/pip-audit"]) == 2
    assert "pypi.org could not be asked: /nowhere/pip-audit: No such file" in capsys.readouterr().err
    assert audit.main([]) == 2


def test_every_package_is_looked_up_also_what_the_app_needs_only_indirectly():
    packages = audit.installed()
    assert {"torch", "gradio", "starlette", "pydantic", "pytest"} <= packages.keys()
    assert all(version and "+" not in version for version in packages.values())
    assert packages["torch"] == torch.__version__.partition("+")[0]
