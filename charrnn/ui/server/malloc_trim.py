"""Returns freed memory to the system; glibc would keep hundreds of MB."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

DELAY_S = 2.0  # after the last block; a generating page calls about once a second


def trim() -> None:
    """Call malloc_trim, which does not block other threads. No effect without glibc."""
    with suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class MemoryUse:
    """Counts the blocks that use memory, and trims after the last one."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()
        self._is_due = False

    @contextmanager
    def block(self) -> Iterator[None]:
        """Count a block while it runs."""
        with self._lock:
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                starts = not self._count and not self._is_due
                self._is_due |= starts
            if starts:
                timer = threading.Timer(DELAY_S, self._trim)
                timer.daemon = True
                timer.start()

    def _trim(self) -> None:
        self._is_due = False
        if not self._count:
            trim()


MEMORY_USE = MemoryUse()
