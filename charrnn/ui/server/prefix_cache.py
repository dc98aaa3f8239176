"""Cached states of recent prefixes, so that continued texts are not recomputed."""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from threading import Lock
from typing import Any

import numpy as np

from charrnn.sampling import DecoderOutput

MAX_BYTES = 64 << 20


class PrefixCache:
    """The most recently used `DecoderOutput`s by decoder and text, limited by memory."""

    def __init__(self, max_bytes: int = MAX_BYTES):
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[tuple, tuple[DecoderOutput, int]] = OrderedDict()
        self._lengths: dict[Hashable, dict[int, int]] = {}  # by decoder: prefix length -> number of entries
        self._lock = Lock()

    def longest(self, decoder: Hashable, text: str, limit: int) -> tuple[int, DecoderOutput | None]:
        """Return the longest cached prefix of text[:limit], as length and output."""
        with self._lock:
            lengths = sorted(length for length in self._lengths.get(decoder, ()) if length <= limit)
            keys = [(decoder, length, digest) for length, digest in zip(lengths, _digests(text, lengths), strict=True)]
            for key in reversed(keys):
                if key in self._entries:
                    self._entries.move_to_end(key)
                    return key[1], self._entries[key][0]
        return 0, None

    def put(self, decoder: Hashable, text: str, output: DecoderOutput) -> None:
        """Cache the output at the end of a text, without its activations."""
        output = output._replace(activations={})
        size = _size_of(output)
        key = (decoder, len(text), next(_digests(text, [len(text)])))
        with self._lock:
            self._remove(key)
            self._entries[key] = (output, size)
            self._bytes += size
            counts = self._lengths.setdefault(decoder, {})
            counts[len(text)] = counts.get(len(text), 0) + 1
            while self._bytes > self._max_bytes:
                self._remove(next(iter(self._entries)))

    def _remove(self, key: tuple) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._bytes -= entry[1]
        decoder, length, _ = key
        counts = self._lengths[decoder]
        counts[length] -= 1
        if not counts[length]:
            del counts[length]
        if not counts:
            del self._lengths[decoder]


def _digests(text: str, lengths: list[int]) -> Iterator[bytes]:
    """Yield digests of the prefixes of these ascending lengths, in one pass."""
    running, start = hashlib.blake2b(digest_size=16), 0
    for length in lengths:
        running.update(text[start:length].encode("utf-8", "surrogatepass"))
        start = length
        yield running.digest()


def _size_of(value: Any) -> int:
    """Return the bytes of an output. Arrays that outputs share count for each of them."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, dict):
        return sum(map(_size_of, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_size_of, value))
    return sum(map(_size_of, vars(value).values())) if hasattr(value, "__dict__") else 64
