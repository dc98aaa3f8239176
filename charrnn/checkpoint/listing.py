"""List the checkpoints of a folder, and those that are refused."""

import os
from dataclasses import replace
from pathlib import Path

from charrnn.checkpoint.checkpoint_info import CheckpointInfo
from charrnn.checkpoint.file_names import MODEL
from charrnn.checkpoint.loading import describe
from charrnn.checkpoint.safetensors_io import CheckpointError


def list_checkpoints(root: Path) -> tuple[list[CheckpointInfo], dict[str, CheckpointError]]:
    """
    List the checkpoints under a folder by name, and the rejected ones with reasons.

    A folder that is a checkpoint itself is the only one, under the name it was saved as.
    """
    alone = os.path.isfile(root / MODEL)
    good, refused = [], {}
    for folder in [root] if alone else checkpoint_folders(root):
        try:
            info = describe(folder)
            good.append(replace(info, name=info.saved_as) if alone else info)
        except CheckpointError as error:
            refused[folder.name] = error
    return good, refused


def checkpoint_folders(root: Path) -> list[Path]:
    """
    Return the subfolders that may be checkpoints, by name, except hidden ones.

    Unreadable ones are included, so that they are reported.
    """
    try:
        names = os.listdir(root)
    except OSError:
        return []
    return sorted(root / name for name in names if not name.startswith(".") and _may_hold_model(root / name))


def _may_hold_model(folder: Path) -> bool:
    try:
        os.stat(folder / MODEL)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True
