"""Arbitrary answers of a Hub: too large, endless, malformed."""

import itertools
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import constants
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charrnn import hub
from charrnn.control_char_escapes import printable
from charrnn.hub import download, errors, response_limits, upload

pytestmark = pytest.mark.process

COMMIT = "c" * 40
SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
FAST = settings(max_examples=150, database=None, derandomize=True, suppress_health_check=SLOW)


class Body(httpx2.SyncByteStream):
    """A streamed body that counts the bytes read."""

    def __init__(self, parts: Iterator[bytes]):
        self.parts, self.bytes_read = parts, 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            self.bytes_read += len(part)
            yield part


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of downloads; failed requests are not retried."""
    folder = tmp_path_factory.mktemp("hub")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(errors, "WAITS_S", ())
    return folder


def mock_hub(monkeypatch: pytest.MonkeyPatch, answer: Callable[[httpx2.Request], httpx2.Response]) -> None:
    """Answer all requests of the Hub library by a function."""

    def client() -> httpx2.Client:
        return httpx2.Client(transport=httpx2.MockTransport(answer), follow_redirects=True)

    for module in (response_limits, errors):
        monkeypatch.setattr(module, "default_client_factory", client, raising=False)
    monkeypatch.setattr("huggingface_hub.utils._http._GLOBAL_CLIENT_FACTORY", client)
    monkeypatch.setattr("huggingface_hub.utils._http._GLOBAL_CLIENT", None)


def hub_error(work: Callable[[], object]) -> hub.HubError:
    """Call a function that fails; check the messages of its error and return it."""
    with pytest.raises(hub.HubError) as caught:
        work()
    for text in (str(caught.value), caught.value.user_message):
        assert text and printable(text) == text and len(text) < 2000
    return caught.value


LISTED = {"id": "me/lab", "sha": COMMIT, "siblings": [{"rfilename": "model.safetensors", "size": 1000}]}
TREE = [{"type": "file", "path": "model.safetensors", "size": 1000, "oid": "0" * 40}]


FILE_HEADERS = {"X-Repo-Commit": COMMIT, "ETag": '"e"'}


def listing(request: httpx2.Request, **headers: str) -> httpx2.Response:
    """A valid description of the repository, or of its files."""
    return httpx2.Response(200, json=TREE if "/tree/" in request.url.path else LISTED, headers=headers)


def hub_with(file: Body, **headers: str) -> Callable[[httpx2.Request], httpx2.Response]:
    """A Hub that sends this file, with a false size in its headers."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if "/resolve/" not in request.url.path:
            return listing(request)
        sent = FILE_HEADERS | {"X-Linked-Size": str(1 << 31)} | headers
        return httpx2.Response(200, headers=sent, stream=Body(iter(())) if request.method == "HEAD" else file)

    return answer


def test_oversized_download_is_stopped(monkeypatch, cache: Path):
    monkeypatch.setattr(download, "LISTING_BYTES", 1 << 20)
    file = Body(bytes(1 << 16) for _ in itertools.count())
    mock_hub(monkeypatch, hub_with(file))
    error = hub_error(lambda: hub.fetch("me/lab"))
    assert error.kind == "large"
    assert "sends more than the size of the repository" in str(error)
    assert file.bytes_read <= (1 << 20) + (1 << 17)
    assert sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) < 1 << 20, "the part is deleted"


def test_compressed_download_is_refused(monkeypatch):
    mock_hub(monkeypatch, hub_with(Body(iter([b"\x1f\x8b"])), **{"Content-Encoding": "gzip"}))
    assert hub_error(lambda: hub.fetch("me/lab")).kind == "large"


def endless(path: str, kind: str, stop: threading.Event) -> Callable[[httpx2.Request], httpx2.Response]:
    """A Hub whose answers never begin or end, or whose listings are endless."""

    def drip() -> Iterator[bytes]:
        while not stop.wait(0.02):
            yield b" "

    def answer(request: httpx2.Request) -> httpx2.Response:
        if kind == "pages":
            page = request.url.copy_with(query=b"a=" + str(time.monotonic()).encode())
            return listing(request, Link=f'<{page}>; rel="next"')
        if path not in request.url.path:
            return listing(request)
        if kind == "nothing":
            stop.wait(60)
        return httpx2.Response(200, headers=FILE_HEADERS, stream=Body(drip()))

    return answer


PATHS = ["/api/models/me/lab", "/tree/", "/resolve/"]


@pytest.mark.parametrize(("path", "kind"), [*itertools.product(PATHS, ["nothing", "drip"]), ("", "pages")])
def test_endless_answer_counts_as_unreachable(monkeypatch, path: str, kind: str):
    monkeypatch.setattr(download, "LISTING_S", 0.3)
    stop = threading.Event()
    mock_hub(monkeypatch, endless(path, kind, stop))
    try:
        error = hub_error(lambda: hub.fetch("me/lab"))
    finally:
        stop.set()
    assert error.kind == "network" and error.is_temporary and "me/lab: " in str(error)


@pytest.mark.parametrize("value", ["socks://127.0.0.1:9", "http://[", "ftp://x", "http://a:b:c"])
@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "all_proxy"])
def test_unusable_proxy_counts_as_unreachable(monkeypatch, name: str, value: str):
    monkeypatch.setattr("huggingface_hub.utils._http._GLOBAL_CLIENT", None)
    monkeypatch.setenv(name, value)
    if name == "http_proxy" and value != "ftp://x":
        monkeypatch.setenv("all_proxy", value)
    for call in (lambda: hub.fetch("me/lab"), lambda: hub.push(Path("nothing"), "me/lab")):
        monkeypatch.setattr(upload, "release", lambda *_: hub.Release({"README.md": b"a"}, "a"))
        error = hub_error(call)
        assert error.kind == "network", error


TEXT = st.text(max_size=8) | st.sampled_from(["\x1b[2J", "a\nb", "\u202e", "../x", "model.safetensors", "\x00", "main"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NEARLY = {
    "id": st.just("me/lab"), "sha": st.just(COMMIT) | TEXT, "siblings": st.lists(st.fixed_dictionaries({
        "rfilename": st.just("model.safetensors") | TEXT | ANYTHING, "size": st.just(100) | ANYTHING,
        "lfs": st.none() | st.fixed_dictionaries({"size": ANYTHING, "sha256": ANYTHING, "pointerSize": ANYTHING}),
    }) | ANYTHING, max_size=3) | ANYTHING,
    "lastModified": ANYTHING, "cardData": ANYTHING, "url": ANYTHING, "tags": ANYTHING, "branches": ANYTHING,
}  # fmt: skip
ANSWER = ANYTHING | st.fixed_dictionaries({}, optional=NEARLY) | st.fixed_dictionaries(NEARLY)
HEADERS = st.dictionaries(
    st.sampled_from(["X-Error-Code", "X-Error-Message", "Retry-After", "RateLimit", "Location", "ETag"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20),
    max_size=3,
)
BODY = st.binary(max_size=30) | ANSWER.map(lambda value: json.dumps(value).encode())
STATUS = st.sampled_from([200, 200, 200, 200, 302, 400, 401, 403, 404, 409, 418])


@FAST
@given(st.lists(st.tuples(STATUS, HEADERS, BODY), min_size=1, max_size=6))
def test_arbitrary_answers_are_reported_in_one_line(answers: list[tuple[int, dict[str, str], bytes]]):
    requested = list[str]()  # the nth different address always has the nth answer

    def answer(request: httpx2.Request) -> httpx2.Response:
        address = f"{request.method} {request.url.path}"
        if address not in requested:
            requested.append(address)
        status, headers, body = answers[requested.index(address) % len(answers)]
        sent = [(name.encode(), text.encode("latin-1")) for name, text in headers.items()]
        return httpx2.Response(status, headers=sent, content=body)

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as cache:
        mock_hub(patch, answer)
        patch.setattr(constants, "HF_HUB_CACHE", cache)
        patch.setattr(upload, "release", lambda *_: hub.Release({"README.md": b"a"}, "a"))
        for call in (lambda: hub.fetch("me/lab"), lambda: hub.push(Path("nothing"), "me/lab")):
            requested.clear()
            try:
                call()
            except hub.HubError as error:
                for text in (str(error), error.user_message):
                    assert text and printable(text) == text, text
