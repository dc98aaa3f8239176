"""Memory that a measurement used, given back to the system: the C library would keep hundreds of MB for later."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

DELAY_S = 2.0  # after the last user: a page that writes calls about once a second


@cache
def _trim() -> Any:
    """glibc's malloc_trim; None where there is another C library."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return None


def give_back() -> None:
    """Give back what is free; some milliseconds, in which other threads go on."""
    trim = _trim()
    if trim is not None:
        trim(0)


class Users:
    """Counts what uses memory at the moment; when the last one leaves, free memory goes back to the system."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()
        self._is_due = False

    @contextmanager
    def one(self) -> Iterator[None]:
        """Use memory for the duration of the block."""
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
