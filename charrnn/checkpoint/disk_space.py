"""Check before a run that its files fit their size limits and the disk."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from charrnn.checkpoint.safetensors_io import MAX_FILE_BYTES, MAX_HEADER_BYTES, CheckpointError, file_bytes
from charrnn.checkpoint.save_load import MODEL, RUN


def require_room(
    folder: Path,
    state: Mapping[str, Tensor],
    run: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    metadata: Mapping[str, Any],
    saved_steps: int,
) -> None:
    """
    Raise CheckpointError if files of this size could not be saved or read again.

    The tensors only give shapes and types and may be on the meta device. The folder need not exist.
    """
    sizes = {}
    for name, tensors, texts in ((RUN, state, {"run": dict(run)}), (MODEL, weights, metadata)):
        sizes[name], header = file_bytes(tensors, texts)
        if sizes[name] > MAX_FILE_BYTES:
            raise CheckpointError(
                f"{folder / name} would take up to {sizes[name]:,} bytes, and {MAX_FILE_BYTES:,} can be read: give a "
                "smaller --hidden-dim, or --no-keep-steps"
            )
        if header > MAX_HEADER_BYTES:
            raise CheckpointError(
                f"{folder / name} would have up to {header:,} bytes of metadata, and {MAX_HEADER_BYTES:,} can be read: "
                "give fewer --steps, or a text with fewer different characters"
            )
    needed = sum(sizes.values()) + sizes[MODEL] * saved_steps + max(sizes.values())  # last: while replaced
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if there == folder:
        needed -= sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    disk = shutil.disk_usage(there)
    if needed > disk.free and disk.total:  # total 0: the file system does not report its size
        raise CheckpointError(
            f"{folder} would take up to {needed / 1e6:,.1f} MB more, and {disk.free / 1e6:,.1f} MB are free: make "
            "room, or give another folder"
        )
