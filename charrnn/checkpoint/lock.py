"""A checkpoint folder in the hands of one writer."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from charrnn.checkpoint.safetensors_io import CheckpointError, require_writable
from charrnn.checkpoint.save_load import STEPS
from charrnn.checkpoint.target import is_half_written

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


class Hold:
    """A locked folder. `renew` before each save: the folder may have been removed meanwhile."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._descriptor: int | None = None
        self._file: FileLock | None = None  # on Windows, which cannot lock a folder
        self._had_it = False
        self.renew()

    def renew(self) -> None:
        """
        Lock the folder again if it was removed; make it again if nobody else did.

        Raises CheckpointError if another run has it, or if it is another folder with something in it; OSError if it
        cannot be made or locked.
        """
        if self._descriptor is not None and self._is_the_same():
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
            if self._had_it and any(self.folder.iterdir()):
                raise CheckpointError(f"{self.folder} was replaced during the run: what is there now is left as it is")
        except BlockingIOError:
            self.release()
            raise self._taken() from None
        except BaseException:
            self.release()
            raise
        self._had_it = True

    def _lock_file(self) -> None:
        """Lock a file in the temporary folder that stands for this folder: on Windows, for runs of this machine."""
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

    def _is_the_same(self) -> bool:
        """Whether the path still leads to the folder that is locked."""
        try:
            return os.path.samestat(os.fstat(self._descriptor or 0), os.stat(self.folder))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let others have the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None
        if self._file is not None:
            self._file.release()
        self._file = None


@contextmanager
def held(folder: Path) -> Iterator[Hold]:
    """
    The folder, made where there is none, for one writer: until the end, or until the process dies, however it does.

    Folders that were made and are still empty at the end are removed; so are, at the beginning, temporary files of a
    writer that was killed. Raises CheckpointError where another one holds it, and OSError where it cannot be made or
    written. On Windows the lock excludes other runs of this machine and user alone.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    hold = None
    try:
        hold = Hold(folder)
        require_writable(folder)
        for place in (folder, folder / STEPS):  # what lies deeper is another writer's
            for left in place.glob("*"):
                if is_half_written(left.name):
                    with suppress(OSError):
                        left.unlink()
        yield hold
    finally:
        if hold:
            hold.release()
        with suppress(OSError):  # not empty
            for each in made:
                each.rmdir()
