"""
Inject faults into file operations below a folder: an error, or a kill.

The method is that of SQLite's tests: a first run counts the operations, then each of them in turn fails. Counted are
`os.*`, `open` down to every write and read of the raw file, and `fcntl.flock`.
"""

import builtins
import fcntl
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BY_PATH = "chmod listdir lstat mkdir readlink remove rename replace rmdir scandir stat unlink".split()


class Killed(BaseException):
    """The process was killed: it changes no more files, clean-up included."""


class Faults:
    """Record operations below `root`; number `at` raises `error()` or is the last."""

    def __init__(self, root: Path, at: int | None, error: Callable[[], BaseException] | None):
        self.root, self.at, self.error = str(root), at, error
        self.done: list[str] = []
        self.dead = False
        self.descriptors: set[int] = set()

    def concerns(self, target: Any) -> bool:
        """Return whether a path or descriptor belongs to a file below the root."""
        if isinstance(target, int):
            return target in self.descriptors
        path = os.fspath(target)
        return isinstance(path, str) and (path == self.root or path.startswith(self.root + os.sep))

    def do(self, name: str, action: Callable[[], Any]) -> Any:
        """Do an operation; raise if it must fail or the process is dead."""
        if self.dead:
            raise Killed
        fails = len(self.done) == self.at
        self.done.append(name)
        if fails and self.error is not None:
            raise self.error()
        result = None
        try:
            return (result := action())
        finally:
            if fails:
                self.dead = True
                if name in ("open", "scandir"):  # the system closes what a dead process had open
                    os.close(result) if isinstance(result, int) else result and result.close()
                raise Killed


class WatchedFile(io.FileIO):
    """A raw file with counted operations; a kill during a write leaves half of it."""

    def __init__(self, faults: Faults, *arguments: Any, **more: Any):
        self.faults = faults
        super().__init__(*arguments, **more)
        faults.descriptors.add(self.fileno())

    def write(self, data: Any) -> int:
        dies = len(self.faults.done) == self.faults.at and self.faults.error is None
        part = bytes(data)[: len(data) // 2] if dies else data
        return self.faults.do("write", lambda: io.FileIO.write(self, part))

    def readinto(self, buffer: Any) -> int:
        return self.faults.do("read", lambda: io.FileIO.readinto(self, buffer))

    def readall(self) -> bytes:
        return self.faults.do("read", lambda: io.FileIO.readall(self))

    def close(self) -> None:
        if not self.closed:
            self.faults.descriptors.discard(self.fileno())
            super().close()  # the file is closed even if closing fails
            if not self.faults.dead:
                self.faults.do("close", lambda: None)


@contextmanager
def faults(root: Path, at: int | None = None, error: Callable[[], BaseException] | None = None) -> Iterator[Faults]:
    """Count operations below a folder; number `at` raises `error()` or is the last."""
    watch = Faults(root, at, error)
    real_open, real_os_open, real_close, real_flock = builtins.open, os.open, os.close, fcntl.flock

    def by_path(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(target: Any = ".", *arguments: Any, **more: Any) -> Any:
            action = lambda: real(target, *arguments, **more)  # noqa: E731
            return watch.do(name, action) if watch.concerns(target) else action()

        return call

    def by_descriptor(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int, *arguments: Any) -> Any:
            action = lambda: real(descriptor, *arguments)  # noqa: E731
            return watch.do(name, action) if descriptor in watch.descriptors else action()

        return call

    def os_open(path: Any, *arguments: Any, **more: Any) -> int:
        if not watch.concerns(path):
            return real_os_open(path, *arguments, **more)
        descriptor = watch.do("open", lambda: real_os_open(path, *arguments, **more))
        watch.descriptors.add(descriptor)
        return descriptor

    def os_close(descriptor: int) -> None:
        known = descriptor in watch.descriptors
        watch.descriptors.discard(descriptor)
        real_close(descriptor)
        if known and not watch.dead:
            watch.do("close", lambda: None)

    def open_file(file: Any, mode: str = "r", *arguments: Any, **more: Any) -> Any:
        if not watch.concerns(file):
            return real_open(file, mode, *arguments, **more)
        raw_mode, opener = mode.replace("b", "").replace("t", ""), more.pop("opener", None)
        make = lambda: WatchedFile(watch, file, raw_mode, opener=opener)  # noqa: E731
        raw = make() if opener or isinstance(file, int) else watch.do("open", make)
        buffered = io.BufferedReader(raw) if raw_mode == "r" else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *arguments[1:], **more)

    with pytest.MonkeyPatch.context() as patch:
        for name in BY_PATH:
            patch.setattr(os, name, by_path(name))
        patch.setattr(os, "open", os_open)
        patch.setattr(os, "close", os_close)
        patch.setattr(os, "fstat", by_descriptor("fstat", os.fstat))
        patch.setattr(os, "fsync", by_descriptor("fsync", lambda descriptor: None))
        patch.setattr(fcntl, "flock", by_descriptor("flock", real_flock))
        patch.setattr(builtins, "open", open_file)
        patch.setattr(io, "open", open_file)
        yield watch
