"""Limits concurrent calls, and estimates when a rejected one can be retried."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MAX_RUNNING = 2  # more would not be faster: numpy holds the interpreter lock for most of a step
MAX_WAITING = 64
SMOOTHING = 0.1  # of the running mean of a call's seconds


class BusyError(Exception):
    """Raised if too many calls wait; `retry_ms` estimates when to retry."""

    def __init__(self, retry_ms: int):
        super().__init__(f"the server is busy: try again in {retry_ms} ms")
        self.retry_ms = retry_ms


class CallLimit:
    """A FIFO queue in front of `running` slots, for at most `waiting` calls."""

    def __init__(self, running: int = MAX_RUNNING, waiting: int = MAX_WAITING):
        self._slots = asyncio.Semaphore(running)
        self._running, self._max_waiting = running, waiting
        self.waiting = 0
        self._mean_seconds = 0.02

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot, and occupy it for the block. Raises BusyError if too many wait."""
        if self._slots.locked() and self.waiting >= self._max_waiting:
            seconds = self._mean_seconds * (self.waiting + 1) / self._running
            raise BusyError(max(50, round(1000 * seconds)))
        self.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self.waiting -= 1
        began = time.perf_counter()
        try:
            yield
        finally:
            self._mean_seconds += SMOOTHING * (time.perf_counter() - began - self._mean_seconds)
            self._slots.release()
