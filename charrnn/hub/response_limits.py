"""Limits on Hub responses: received bytes and total time."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import httpx2
from huggingface_hub import constants, set_client_factory
from huggingface_hub.utils._http import default_client_factory

from charrnn.hub.errors import HubError

Result = TypeVar("Result")
LISTING_BYTES, LISTING_S = 32 << 20, 30  # limits of a listing of files


class Bounds:
    """Bytes and time left for all requests of one `within` call together."""

    def __init__(self, subject: str):
        self.subject = subject
        self._left, self._ends = 0, 0.0

    def within(self, max_bytes: int, seconds: float, work: Callable[[], Result]) -> Result:
        """
        Run `work` in a thread and return its result.

        Raises HubError for more than `max_bytes` and on a timeout, when the thread is abandoned; else what `work`
        raises.
        """
        self._left, self._ends = max_bytes, time.monotonic() + seconds
        results: list[Result] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(work())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(seconds)
        if errors:
            raise errors[0]
        if not results:
            raise self._late()
        return results[0]

    def count(self, response: httpx2.Response) -> None:
        """Count the content of a response. Raises HubError for compressed content."""
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise HubError(f"{self.subject}: the Hub sends compressed content that was not requested", "large")
        stream = response.stream
        assert isinstance(stream, httpx2.SyncByteStream)
        response.stream = _Counted(stream, self)

    def take(self, count: int) -> None:
        """Count bytes. Raises HubError over the limit or after the deadline."""
        self._left -= count
        if self._left < 0:
            raise HubError(
                f"{self.subject} is not fetched: the Hub sends more than the size of the repository", "large"
            )
        if time.monotonic() > self._ends:
            raise self._late()

    def _late(self) -> HubError:
        return HubError(f"{self.subject}: the Hub is too slow: try again later", "network")


class _Counted(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, bounds: Bounds):
        self._stream, self._bounds = stream, bounds

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            self._bounds.take(len(part))
            yield part

    def close(self) -> None:
        self._stream.close()


@contextmanager
def bounded(subject: str) -> Iterator[Bounds]:
    """
    Count what the Hub library's client receives; downloads use HTTP only.

    Its Xet client reports sizes too late. One caller at a time: the library has one client for all threads.
    """
    bounds = Bounds(subject)

    def client() -> httpx2.Client:
        made = default_client_factory()
        made.headers["accept-encoding"] = "identity"
        made.event_hooks = made.event_hooks | {"response": [bounds.count]}
        return made

    without_xet = constants.HF_HUB_DISABLE_XET
    constants.HF_HUB_DISABLE_XET = True
    set_client_factory(client)
    try:
        yield bounds
    finally:
        set_client_factory(default_client_factory)
        constants.HF_HUB_DISABLE_XET = without_xet
