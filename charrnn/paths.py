"""Paths of the repository; the package works without the files there."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
IS_CHECKOUT = (REPOSITORY / "app.py").is_file()
CHECKPOINTS = (REPOSITORY if IS_CHECKOUT else Path.cwd()) / "checkpoints"
STUDY = REPOSITORY / "docs" / "study.json"
