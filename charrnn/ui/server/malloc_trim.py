"""Returns free memory to the system. The C library would keep hundreds of MB."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

DELAY_S = 2.0  # after the last user; a generating page calls about once a second


def give_back() -> None:
    """Return free memory with glibc's malloc_trim, without blocking other threads."""
    with suppress(OSError, TypeError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


class Users:
    """Counts the current memory users. Free memory is returned after the last one."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()
        self._is_due = False

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count as a memory user for the duration of the block."""
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
            give_back()


USERS = Users()
