"""Paths of the repository; the package works without the files there."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
STUDY = REPOSITORY / "docs" / "study.json"
