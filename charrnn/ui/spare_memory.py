"""Memory that a measurement used, given back to the system: the C library would keep hundreds of MB for later."""

import ctypes
import threading
from functools import cache
from typing import Any


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


def give_back_aside() -> None:
    """The same in a thread of its own: nobody waits for it."""
    threading.Thread(target=give_back, daemon=True).start()
