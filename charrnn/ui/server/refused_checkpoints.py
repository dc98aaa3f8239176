"""Describes why checkpoints of a folder were refused, without local paths."""

import os
from collections.abc import Mapping
from pathlib import Path

from charrnn.checkpoint import CheckpointError

MAX_LISTED = 3  # reasons in one line


def describe_refused(refused: Mapping[str, CheckpointError], root: Path) -> str:
    """Join the reasons in one line; "" if no checkpoint was refused."""
    reasons = [without_local_paths(reason, root) for reason in refused.values()]
    more = [f"and {len(reasons) - MAX_LISTED} more"] if len(reasons) > MAX_LISTED else []
    return "; ".join(reasons[:MAX_LISTED] + more)


def describe_empty(refused: Mapping[str, CheckpointError], root: Path) -> str:
    """Explain why the folder offers no checkpoint."""
    nothing = f"{root.name} holds no checkpoint: train one with scripts/train.py, or name another folder"
    return describe_refused(refused, root) or nothing


def without_local_paths(reason: CheckpointError, root: Path) -> str:
    """Return the reason with paths relative to the folder."""
    return str(reason).replace(f"{root}{os.sep}", "").replace(str(root), root.name)
