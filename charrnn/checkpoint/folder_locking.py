"""Lock of a checkpoint folder: one writer at a time."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from charrnn.checkpoint.file_names import STEPS
from charrnn.checkpoint.overwrite_rules import is_half_written
from charrnn.checkpoint.safetensors_io import CheckpointError, require_writable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


class FolderLock:
    """
    Lock of a folder for one writer.

    Call `renew` before each save, since the folder can be removed during a run.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._descriptor: int | None = None
        self._file: FileLock | None = None  # on Windows, which cannot lock a folder
        self._was_locked = False
        self.renew()

    def renew(self) -> None:
        """
        Lock the folder again if it was removed; create it again if needed.

        Raises CheckpointError if another run has it, or if another folder with content has taken its place; OSError if
        it cannot be created or locked.
        """
        if self._descriptor is not None and self._is_same_folder():
            return
        if self._file is not None and self.folder.is_dir():
            return
        self.release()
        self.folder.mkdir(parents=True, exist_ok=True)
        if fcntl is None:
            self._lock_file()
            return
        self._descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._was_locked and any(self.folder.iterdir()):
                raise CheckpointError(f"{self.folder} was replaced during the run; the new folder is not changed")
        except BlockingIOError:
            self.release()
            raise self._taken() from None
        except BaseException:
            self.release()
            raise
        self._was_locked = True

    def _lock_file(self) -> None:
        """On Windows, lock a file in the temporary folder instead of the folder."""
        name = os.path.normcase(self.folder.resolve()).encode("utf-8", "surrogatepass")
        path = Path(tempfile.gettempdir()) / f"charrnn-{hashlib.sha256(name).hexdigest()[:32]}.lock"
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise self._taken() from None
        self._file = lock

    def _taken(self) -> CheckpointError:
        return CheckpointError(f"another run writes to {self.folder}: wait until it ends, or give another --out")

    def _is_same_folder(self) -> bool:
        """Return whether the path still leads to the locked folder."""
        try:
            return os.path.samestat(os.fstat(self._descriptor or 0), os.stat(self.folder))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Release the lock; `renew` can take it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None
        if self._file is not None:
            self._file.release()
        self._file = None


@contextmanager
def folder_lock(folder: Path) -> Iterator[FolderLock]:
    """
    Lock a folder for one writer, creating it if needed.

    The OS releases the lock if the process dies. Temporary files of a killed writer are deleted first; folders that
    were created and are still empty at the end are removed. Raises CheckpointError if another process has the lock,
    OSError if the folder cannot be created or written. On Windows the lock excludes only other runs of this machine
    and user.
    """
    created = [folder_path for folder_path in (folder, *folder.parents) if not folder_path.exists()]
    lock = None
    try:
        lock = FolderLock(folder)
        require_writable(folder)
        for parent in (folder, folder / STEPS):  # deeper folders may belong to another writer
            for temporary in parent.glob("*"):
                if is_half_written(temporary.name):
                    with suppress(OSError):
                        temporary.unlink()
        yield lock
    finally:
        if lock:
            lock.release()
        with suppress(OSError):  # not empty
            for folder_path in created:
                folder_path.rmdir()
