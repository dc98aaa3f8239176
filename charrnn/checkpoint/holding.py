"""A checkpoint folder in the hands of one writer."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from charrnn.checkpoint.folder import STEPS
from charrnn.checkpoint.safe_file import TEMPORARY, WRITING, CheckpointError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """
    The folder, made where there is none, for one writer: until the end, or until the process dies, however it does.

    What a writer that was killed left half written is swept away. Raises CheckpointError where another one holds it,
    and OSError where it cannot be made. On Windows nobody holds anything.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CheckpointError(
                f"another run writes to {folder}: wait until it ends, or give another --out"
            ) from None
        for place in (folder, folder / STEPS):  # what lies deeper is another writer's
            for left in place.glob(f"{WRITING}*{TEMPORARY}"):
                with suppress(OSError):
                    left.unlink()
        yield
    finally:
        os.close(descriptor)
