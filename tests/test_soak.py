"""Mixed visitors for some seconds; and what half an hour of them would be blamed for."""

import shutil
from pathlib import Path

from scripts.soak import Log, verdict
from tests.calling import call

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"


def test_a_short_day_ends_well(tmp_path: Path):
    shutil.copytree(CHECKPOINTS / "rnn", tmp_path / "checkpoints" / "rnn")
    brief = ("--seconds", 3, "--visitors", 4, "--every", 1, "--growth", 2000)
    day = call("soak.py", *brief, "--checkpoints", tmp_path / "checkpoints")
    assert day.returncode == 0, day.stdout + day.stderr
    assert "nothing wrong; memory grew by" in day.stdout and "visitors" in day.stdout and " 0 wrong" in day.stdout


def test_memory_that_grows_and_errors_other_than_busy_are_blamed():
    flat, grown = [500.0, 700, 705, 702, 701], [500.0, 600, 640, 680, 720]
    assert Log(empty_mb=flat).growth_mb() == 1
    log = Log(empty_mb=grown)
    assert log.growth_mb() == 120
    log.refused("write", "The lab is busy: 200 wait for one of 120 places. Try again in a minute")
    assert verdict(log, 60, most_growth_mb=120) == [] and log.busy == 1
    for _ in range(2):
        log.refused("ask", "RefusedError: ask: None")
    assert [log.news(), log.news()] == [["ask: RefusedError: ask: None"], []]
    assert verdict(log, 60, 60) == [
        "2 × ask: RefusedError: ask: None",
        "memory grew by 120 MB in 60 s, more than 60",
    ]
