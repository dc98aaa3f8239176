"""
Paths of the project's files, in a checkout or an installation.

The package works without the files there.
"""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
IS_CHECKOUT = (REPOSITORY / "scripts" / "train.py").is_file() and (REPOSITORY / "app.py").is_file()
BUNDLED = REPOSITORY if IS_CHECKOUT else Path(__file__).resolve().parent / "bundled"  # setup.py fills it
CHECKPOINTS = (REPOSITORY if IS_CHECKOUT else Path.cwd()) / "checkpoints"
STUDY, LAB_SHEET = BUNDLED / "docs" / "study.json", BUNDLED / "docs" / "lab_sheet.json"


def app_checkpoints() -> Path:
    """Return CHECKPOINTS if that folder exists, else the bundled checkpoints."""
    return CHECKPOINTS if CHECKPOINTS.is_dir() else BUNDLED / "checkpoints"
