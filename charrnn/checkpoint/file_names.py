"""
The files of a checkpoint folder, and which of them this package wrote.

`model.safetensors` holds the weights and, in its metadata, everything else, so the two cannot be separated.
`config.json` and `history.json` are human-readable copies, `steps/` holds intermediate weights, `passage.txt` a
generated text, `analyses.json` stored analyses. `training.safetensors` is the state of an unfinished run.
"""

import os
import re
from pathlib import Path

from charrnn.checkpoint.safetensors_io import CheckpointError, read_metadata
from charrnn.checkpoint.stored_analyses import ANALYSES

MODEL, RUN, STEPS, PASSAGE = "model.safetensors", "training.safetensors", "steps", "passage.txt"
CONFIG, HISTORY = "config.json", "history.json"
FILES = (MODEL, CONFIG, HISTORY, PASSAGE, ANALYSES, f"{STEPS}/*.safetensors")  # of a finished checkpoint
MAX_PASSAGE_BYTES = 1 << 20
STEP_NAME = re.compile(r"[0-9]{6,9}\.safetensors")
SHARED_KEYS = ("config", "vocab", "seed", "recipe", "data_sha256")  # equal in a saved step and its checkpoint


def has_run_state(folder: Path) -> bool:
    """Return whether the folder holds the state of an unfinished run."""
    return (folder / RUN).is_file()


def step_path(folder: Path, step: int) -> Path:
    """Return the file of a saved step: `steps/000300.safetensors`."""
    return folder / STEPS / f"{step:06d}.safetensors"


def step_files(folder: Path) -> list[Path]:
    """Return the files of saved steps. Raises OSError if the folder cannot be listed."""
    try:
        return sorted(folder / STEPS / name for name in os.listdir(folder / STEPS) if name.endswith(".safetensors"))
    except (FileNotFoundError, NotADirectoryError):
        return []


def require_step(path: Path) -> None:
    """Raise CheckpointError for a saved step that this package did not write."""
    if not STEP_NAME.fullmatch(path.name) or not read_metadata(path).keys() >= {*SHARED_KEYS, "step"}:
        raise CheckpointError(f"{path} is not a saved step of a checkpoint")
