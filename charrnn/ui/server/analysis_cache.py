"""Cache of analyses, keyed by the function and all of its arguments.

The function is called with exactly the arguments that form the key, so a result cannot depend on anything else.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from threading import Lock
from types import FunctionType
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

MISSING = object()


class Cache:
    """The most recently used results, at most `size` of them."""

    def __init__(self, size: int):
        self.size = size
        self._results: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()  # guards both dictionaries
        self._in_progress: WeakValueDictionary[Hashable, Lock] = WeakValueDictionary()

    def compute(self, function: Callable[..., Any], *inputs: Any, is_current: Callable[[], bool] | None = None) -> Any:
        """Return `function(*inputs)`. Identical concurrent calls wait for the first.

        function: defined at module level, since a closure could use values outside its arguments. is_current: passed on
        by name, not part of the key. A function that takes it raises when no request needs the result any more; nothing
        is cached then. Raises TypeError for an input that `fingerprint` does not support.
        """
        key = key_of(function, inputs)
        if (result := self._get(key)) is not MISSING:
            return result
        with self._lock:
            in_progress = self._in_progress.setdefault(key, Lock())
        with in_progress:
            if (result := self._get(key)) is MISSING:
                result = function(*inputs) if is_current is None else function(*inputs, is_current=is_current)
                with self._lock:
                    self._results[key] = result
                    if len(self._results) > self.size:
                        self._results.popitem(last=False)
        return result

    def cached(self, function: Callable[..., Any], *inputs: Any) -> Any:
        """Return the cached result of `function(*inputs)`, or None."""
        result = self._get(key_of(function, inputs))
        return None if result is MISSING else result

    def _get(self, key: Hashable) -> Any:
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key, MISSING)


def key_of(function: Callable[..., Any], inputs: tuple[Any, ...]) -> Hashable:
    """Return the key of a call: the function and the fingerprints of its arguments."""
    return fingerprint(function), tuple(map(fingerprint, inputs))


def fingerprint(value: Any) -> Hashable:
    """Return a short key, equal only for equal values of equal types.

    An object that is not a plain value must define `cache_key()`; a path is keyed by the content of its file.
    Raises TypeError for anything else.
    """
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if value is None or isinstance(value, bool | int | float):
        return kind, repr(value)
    if isinstance(value, str | bytes):
        return kind, digest(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)
    if isinstance(value, tuple | list):
        return kind, tuple(map(fingerprint, value))
    if isinstance(value, Mapping):
        return kind, tuple((fingerprint(key), fingerprint(item)) for key, item in value.items())
    if isinstance(value, frozenset | set):
        return kind, frozenset(map(fingerprint, value))
    if isinstance(value, np.ndarray):
        return kind, value.dtype.str, value.shape, digest(np.ascontiguousarray(value).tobytes())
    if isinstance(value, Path):
        return "path", str(value), _file_digest(value)
    if isinstance(value, FunctionType) and value.__closure__ is None and "<" not in value.__qualname__:
        return kind, value.__module__, value.__qualname__
    if hasattr(value, "cache_key"):
        return kind, fingerprint(value.cache_key())
    if is_dataclass(value) and not isinstance(value, type):
        return kind, tuple(fingerprint(getattr(value, field.name)) for field in fields(value))
    raise TypeError(f"a {kind} cannot be part of a cache key: give it a method cache_key()")


def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def _file_digest(path: Path) -> str | None:
    try:
        return digest(path.read_bytes())
    except OSError:
        return None
