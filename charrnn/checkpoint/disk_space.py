"""Check before a run that its files fit their size limits and the disk."""

import json
import shutil
from pathlib import Path

from charrnn.checkpoint.file_names import MODEL, RUN
from charrnn.checkpoint.safetensors_io import MAX_FILE_BYTES, MAX_HEADER_BYTES, CheckpointError
from charrnn.vocab import Vocab

MAX_VOCAB_BYTES = MAX_HEADER_BYTES // 2  # in a header; the training curve and the tensors take less than the rest


def require_room(folder: Path, vocab: Vocab, state_bytes: int, model_bytes: int, saved_steps: int) -> None:
    """
    Raise CheckpointError if files of this size could not be saved or read again.

    The folder need not exist.
    """
    for name, size in ((RUN, state_bytes), (MODEL, model_bytes)):
        if size > MAX_FILE_BYTES:
            raise CheckpointError(
                f"{folder / name} would take up to {size:,} bytes, and {MAX_FILE_BYTES:,} can be read: give a "
                "smaller --hidden-dim, or --no-keep-steps"
            )
    vocab_bytes = len(json.dumps(json.dumps(vocab.characters)))
    if vocab_bytes > MAX_VOCAB_BYTES:
        raise CheckpointError(
            f"the vocabulary would take {vocab_bytes:,} bytes of metadata in {folder / MODEL}, and {MAX_VOCAB_BYTES:,} "
            "fit: give a text with fewer different characters"
        )
    needed = state_bytes + model_bytes * (1 + saved_steps) + max(state_bytes, model_bytes)  # last: while replaced
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if existing == folder:
        needed -= sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    disk = shutil.disk_usage(existing)
    if needed > disk.free and disk.total:  # total 0: the file system does not report its size
        raise CheckpointError(
            f"{folder} would take up to {needed / 1e6:,.1f} MB more, and {disk.free / 1e6:,.1f} MB are free: make "
            "room, or give another folder"
        )
