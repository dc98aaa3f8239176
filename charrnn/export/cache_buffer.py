"""Storage for keys and values that grow by one character at a time."""

import threading

import numpy as np


class CacheBuffer:
    """
    Keys or values of one text, appended in place.

    A state is a view of a range of positions, so all states of one text share one buffer. Texts that diverge need
    separate buffers: `reserve` grants each position once.
    """

    def __init__(self, values: np.ndarray, capacity: int):
        """values (..., n, d): copied to a buffer (..., capacity, d)."""
        self.data = np.empty((*values.shape[:-2], capacity, values.shape[-1]))
        self.filled = values.shape[-2]
        self.data[..., : self.filled, :] = values
        self._lock = threading.Lock()

    def reserve(self, end: int) -> bool:
        """Reserve the position `end`; return False if it is taken or the buffer is full."""
        with self._lock:
            free = end == self.filled < self.data.shape[-2]
            self.filled += free
            return free


class CacheView:
    """The part of a buffer that belongs to one state."""

    def __init__(self, buffer: CacheBuffer, start: int, end: int):
        self.buffer, self.start, self.end = buffer, start, end

    @classmethod
    def of(cls, values: np.ndarray, context: int) -> "CacheView":
        """Copy values (..., n, d) to a buffer of their own."""
        return cls(CacheBuffer(values, 2 * context), 0, values.shape[-2])

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def values(self) -> np.ndarray:
        """The keys or values, (..., n, d)."""
        return self.buffer.data[..., self.start : self.end, :]

    def append(self, value: np.ndarray, context: int) -> "CacheView":
        """Append a position, value (..., 1, d); copy the buffer if that one is taken."""
        view = self if self.buffer.reserve(self.end) else CacheView.of(self.values, context)
        if view is not self:
            view.buffer.reserve(view.end)
        view.buffer.data[..., view.end, :] = value[..., 0, :] if value.ndim > 1 else value
        return CacheView(view.buffer, view.start, view.end + 1)

    def last(self, count: int) -> "CacheView":
        """Return the view of the last `count` positions, or of all if fewer."""
        return CacheView(self.buffer, max(self.start, self.end - count), self.end)
