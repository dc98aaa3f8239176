"""Serve behind proxies, on IPv6, below a path; check Host and Origin."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from charrnn import hub
from charrnn.commands import app
from charrnn.ui import gradio_server
from charrnn.ui.gradio_server import serve
from charrnn.ui.page import build_demo
from charrnn.ui.server import request_deadline
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.middleware import RequestFilterMiddleware
from charrnn.ui.server.request_body import CallValidator
from tests.cli import ROOT

pytestmark = pytest.mark.process

SERVING = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
UNUSABLE_PROXIES = {
    "http_proxy": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://[",
    "ALL_PROXY": "socks://127.0.0.1:9",
    "no_proxy": "[::1, *.lab,,",
}


@contextmanager
def started(*arguments: str, **environment: str) -> Iterator[tuple[str, str]]:
    """Start app.py; its address and its output until then."""
    removed = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "hf_hub_offline")
    inherited = {name: value for name, value in os.environ.items() if name.lower() not in removed}
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", "0", *arguments],
        cwd=ROOT, env=inherited | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        output = ""
        while not (address := re.search(r"Char-RNN Lab: (\S+)", output)):
            line = process.stdout.readline()
            assert line, output
            output += line
        yield address[1], output
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def test_app_starts_behind_proxies_on_ipv6_below_path(tmp_path: Path):
    folders = {"CHARRNN_CACHE": str(tmp_path / "no-corpus"), "HF_HOME": str(tmp_path / "hub")}
    settings = {"GRADIO_SERVER_NAME": "::1", "GRADIO_ROOT_PATH": "/lab", "CHARRNN_ALLOWED_HOSTS": "lab.example"}
    (block,) = re.findall(r"```nginx\nlocation /lab/ \{\n(.*?)```", SERVING, re.DOTALL)
    values = {"$http_host": "lab.example:8443", "$scheme": "http"}
    named = {name: values[value] for name, value in re.findall(r"proxy_set_header (\S+) (\S+);", block)}
    assert {"Host", "X-Forwarded-Host"} <= named.keys()
    with started("--checkpoints", "me/lab", **UNUSABLE_PROXIES, **folders, **settings) as (address, output):
        assert "Traceback" not in output and "The Hub cannot be reached just now" in output
        assert address.startswith("http://[::1]:")
        with httpx.Client(trust_env=False, timeout=60) as client:
            page = client.get(address)
            assert page.status_code == 200 and page.headers["content-encoding"] in ("br", "gzip")
            plain = client.get(address, headers={"Accept-Encoding": "identity"})
            assert plain.content == page.content and len(plain.content) == int(plain.headers["content-length"])
            assert int(page.headers["content-length"]) < len(plain.content) / 5
            assert client.get(address, headers={"Host": "evil.example"}).status_code == 421
            for path in ("lab/", ""):  # the path in the browser, and as a proxy strips it
                page = address + path
                assert client.get(f"{page}config", headers=named).json()["root"] == "http://lab.example:8443/lab"
                assert client.get(f"{page}charrnn/components/load_view.js", headers=named).status_code == 200
                own = named | {"Origin": "http://lab.example:8443"}
                called = client.post(f"{page}gradio_api/call/models", json={"data": []}, headers=own)
                result = client.get(f"{page}gradio_api/call/models/{called.json()['event_id']}", headers=named)
                assert result.text.startswith("event: complete")
                assert client.get(page, headers=named | {"Host": "evil.example"}).status_code == 421


def test_app_flags_read_hosts(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("CHARRNN_ALLOWED_HOSTS", "a.example, [::2]:80")
    options = app.parse([])
    assert options.host == "0.0.0.0"
    assert options.allowed_hosts == ["a.example", "[::2]:80"]
    assert app.parse(["--host", "[::1]", "--allowed-hosts", "*"]).host == "::1"
    for flag, wrong in (("--host", ""), ("--host", "[]"), ("--allowed-hosts", "a b"), ("--allowed-hosts", "http://a")):
        with pytest.raises(SystemExit):
            app.parse([flag, wrong])
        assert repr(wrong) in capsys.readouterr().err


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "no host"])
def test_invalid_host_is_refused(host: str):
    with pytest.raises(OSError):
        gradio_server._free_address(host, 0)


def status_of(hosts: frozenset[str] | None, method: str = "GET", path: str = "/", **headers: str) -> int:
    """The status that the request filter returns for a request."""
    statuses = list[int]()

    async def accept(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps({"event_id": "a"}).encode()}

    async def send(message: Any) -> None:
        statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])

    pairs = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {"type": "http", "method": method, "path": path, "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in pairs.items()]
    with pytest.raises(StopIteration):  # no event loop: it awaits nothing
        RequestFilterMiddleware(accept, CallValidator({}), hosts)(scope, receive, send).send(None)
    return statuses[0]


OWN = ["localhost", "localhost:7860", "LOCALHOST.:1", "127.0.0.1", "127.0.0.1:7860", "127.9.9.9", "[::1]", "[::1]:7860"]
FOREIGN = ["evil.example:7860", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.7", "0.0.0.0"]


def test_loopback_address_answers_to_own_names():
    allowed = frozenset({"lab.example", "10.0.0.7", "fe80::1"})
    for host in OWN:
        assert [status_of(hosts, host=host) for hosts in (frozenset(), allowed, None)] == [200, 200, 200], host
    for host in FOREIGN:
        assert status_of(frozenset(), host=host) == 421 and status_of(None, host=host) == 200, host
        assert status_of(frozenset(), "POST", "/gradio_api/reset", host=host, sec_fetch_site="same-origin") == 421
    for host in ("lab.example", "Lab.Example.:8443", "10.0.0.7:1", "[fe80::1]:7860"):
        assert status_of(allowed, host=host) == 200, host
    # nginx sends its own address as Host by default
    assert status_of(frozenset(), host="127.0.0.1:7860", x_forwarded_host="lab.example") == 200


CLOSED = [("POST", "/gradio_api/reset"), ("GET", "/gradio_api/queue/data"), ("GET", "/gradio_api/heartbeat/a")]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_cross_site_calls_are_refused(method: str, path: str):
    host = "lab.example:8443"
    for site, status in (("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)):
        assert status_of(None, method, path, host=host, sec_fetch_site=site) == status
    for origin in ("null", "http://lab.example", "http://lab.example:8443.evil.example", "file://"):
        assert status_of(None, method, path, host=host, origin=origin) == 403, origin
    assert (
        status_of(None, method, path, host=host)
        == status_of(None, method, path, host=host, origin=f"https://{host}")
        == 200
    )
    behind = {"host": "127.0.0.1:7860", "origin": "https://lab.example"}
    assert status_of(None, method, path, **behind) == 403
    assert status_of(None, method, path, **behind, x_forwarded_host="lab.example, inner") == 200
    assert status_of(frozenset({"lab.example"}), method, path, **behind) == 200, "a name of its own"
    link = {"origin": "http://evil.example", "sec_fetch_site": "cross-site"}
    assert status_of(None, "GET", "/", host=host, **link) == 200


@pytest.mark.parametrize(
    ("host", "allowed", "root", "answers"),
    [
        ("127.0.0.1", [], "", {"evil.example": 421, "localhost": 200}),
        ("127.0.0.1", ["*"], "", {"evil.example": 200}),
        ("127.0.0.1", ["Lab.a:80"], "https://b.example/lab/", {"lab.a": 200, "b.example": 200, "c.de": 421}),
        ("0.0.0.0", [], "https://b.example", {"evil.example": 200}),
        ("0.0.0.0", ["lab.example"], "", {"lab.example": 200, "evil.example": 421, "127.0.0.1": 200}),
    ],
)
def test_allowed_hosts_follow_address_and_flags(monkeypatch, host, allowed, root, answers):
    given = {}
    monkeypatch.setenv("GRADIO_ROOT_PATH", root)
    monkeypatch.setattr(gradio_server, "wrap_app", lambda demo, hosts: given.update(hosts=hosts))

    class Demo:
        server = type("Server", (), {"config": type("Config", (), {})})

        def launch(self, **options: Any) -> tuple[None, str, None]:
            given["root"] = options["root_path"]
            return None, "", None

    serve(Demo(), host, 0, allowed)  # pyright: ignore[reportArgumentType]
    assert given["root"] == root.rstrip("/")
    assert {name: status_of(given["hosts"], host=name) for name in answers} == answers


@pytest.fixture
def address(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A page without networks, served by this process."""

    async def start() -> tuple[Any, str]:
        demo = build_demo(Store(tmp_path))
        return demo, serve(demo, "127.0.0.1", 0)

    demo, address = asyncio.run(start())  # without a running loop Gradio makes several, and closes none
    url = httpx.URL(address)
    yield url.host, url.port or 80
    demo.close(verbose=False)


HEAD = (
    b"POST /gradio_api/reset HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 900\r\n"
)


def test_unfinished_request_is_dropped(address, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(request_deadline, "MAX_RECEIVE_S", 0.5)
    whole = b"GET /config HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for begun in (b"", b"GET /con", HEAD, HEAD + b"\r\n{", whole + b"GET"):
        with socket.create_connection(address, timeout=0.1) as connection, suppress(ConnectionError):
            connection.sendall(begun)
            for _ in range(200):
                try:
                    if not connection.recv(1 << 16):
                        break
                except TimeoutError:
                    connection.sendall(b"a")
            else:
                pytest.fail(f"{begun} was not dropped in 20 s")


def test_deadline_is_of_each_request(address, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(request_deadline, "MAX_RECEIVE_S", 0.5)
    client, sockets = HTTPConnection(*address, timeout=20), set[Any]()
    for _ in range(4):
        client.request("GET", "/config")
        assert client.getresponse().read().startswith(b"{")
        sockets.add(client.sock)
        time.sleep(0.2)
    client.close()
    assert len(sockets) == 1 and None not in sockets, "all on one connection"


def test_path_flags_refuse_empty_strings():
    """Check that each uses `flag_types.path`; see `test_empty_path_is_refused`."""
    sources = [*(ROOT / "charrnn").rglob("*.py"), *(ROOT / "scripts").glob("*.py"), ROOT / "app.py"]
    assert [source.name for source in sources if "type=Path" in source.read_text(encoding="utf-8")] == []
    with pytest.raises(hub.HubError, match="'' is neither a folder nor a Hub repository"):
        hub.fetch("")


def test_mistyped_folder_is_not_taken_for_repository(tmp_path: Path, monkeypatch):
    (tmp_path / "runs/mine").mkdir(parents=True)
    (tmp_path / "runs/mine/model.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("charrnn.hub.download._from_hub", lambda *_: pytest.fail("the Hub was asked"))
    with pytest.raises(hub.HubError, match="runs/mien is not there: runs has mine; for the repository") as error:
        hub.fetch("runs/mien")
    assert not error.value.is_temporary, "or other networks would be served"
