"""The server's routes besides endpoints: those of the page, none for other sites."""

import json
import socket

import pytest

from charrnn.ui.server.middleware import CONTENT, HEADERS
from charrnn.ui.server.request_body import TEXT_SESSION, TOKEN, CallValidator
from tests.attack.attack_client import JSON, AttackedApp, PageSession

pytestmark = pytest.mark.process

FILES = [
    "/etc/passwd",
    "app.py",
    "../app.py",
    "%2e%2e/app.py",
    "file:///etc/passwd",
    "http://127.0.0.1:1/",
    "C:\\x",
    "a%00",
]
CLOSED = {
    "GET": [
        *(f"gradio_api/{way}{file}" for way in ("file=", "file/", "proxy=") for file in FILES),
        "monitoring", "monitoring/summary", "monitoring/x", "gradio_api/runs", "gradio_api/run-history/records",
        "gradio_api/vibe-code", "gradio_api/dev/reload", "gradio_api/profiling/traces", "gradio_api/token",
        "gradio_api/user", "gradio_api/login_check", "gradio_api/deep_link?session_hash=a",
        "gradio_api/upload_progress",
        "gradio_api/stream/a/b/c/playlist.m3u8", "gradio_api/stream/a/b/c/playlist-file",
        "gradio_api/custom_component/a/client/component/x.js", "gradio_api/mcp/schema", "docs", "redoc", "openapi.json",
        "login", "logout", "?page=nothing", "config?page=nothing", "?deep_link=x", ".env", "gradio_api/heartbeat/a%00",
        "gradio_api/heartbeat/" + "a" * 65, "gradio_api/call/write/%3Cb%3E", "gradio_api/call/write/" + "a" * 65,
        "gradio_api/queue/data?session_hash=%ed%a0%80",
        "gradio_api/queue/data?session_hash=" + "a" * 65, "charrnn/%00", "charrnn/..%2fapi.py",
        "charrnn/__init__.py", "charrnn/..%2f..%2fapp.py", "charrnn/../../app.py", "charrnn/write/view.html",
        "charrnn/nothing.js", "charrnn/page.js%00.css", "charrnn/" + "a" * 5000,
    ],
    "HEAD": ["gradio_api/file=/etc/passwd", "gradio_api/proxy=http://127.0.0.1:1/"],
    "POST": [
        "", "login", "gradio_api/upload", "gradio_api/component_server", "gradio_api/stream/a",
        "gradio_api/stream/a/close",
        "gradio_api/process_recording", "gradio_api/vibe-edit", "gradio_api/undo-vibe-edit", "gradio_api/vibe-code",
        "gradio_api/vibe-starter-queries", "gradio_api/run-history/connect", "gradio_api/profiling/clear",
        "gradio_api/run/write", "gradio_api/api/write", "gradio_api/api/predict", "config",
    ],
}  # fmt: skip


@pytest.mark.parametrize("method", CLOSED)
def test_unneeded_routes_do_not_exist(app: AttackedApp, method: str):
    for path in CLOSED[method]:
        answer = app.request(
            method, path, **({"content": b'{"data": []}', "headers": JSON} if method == "POST" else {})
        )
        assert answer.status_code == 404, (path, answer.status_code, answer.text[:200])
        assert answer.text in ("", '{"detail": "Not Found"}', '{"detail":"Not Found"}'), path


def test_uploads_are_refused(app: AttackedApp):
    file = {"files": ("../../evil.html", b"<script>alert(1)</script>" * 1000, "text/html")}
    for path in ("gradio_api/upload", "gradio_api/upload?upload_id=1", "upload", "gradio_api/component_server"):
        assert app.request("POST", path, files=file).status_code == 404
    assert app.request("POST", "gradio_api/call/write", files=file).status_code == 415
    assert app.request("POST", "gradio_api/call/write", content=b'{"data": []}').status_code == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_refused(app: AttackedApp, method: str):
    for path in ("", "gradio_api/call/write", "gradio_api/queue/join"):
        assert app.request(method, path).status_code == 405


FILE = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
FOREIGN = ["https://evil.example", "null", "http://localhost:9999", "file://", "chrome-extension://abc"]


@pytest.mark.parametrize("host", ["", "lab.example"])
def test_other_sites_cannot_read_or_call(app: AttackedApp, host: str):
    """Gradio by itself lets every site read an app whose address is not local."""
    host_header = {"Host": host} if host else {}
    for origin in FOREIGN:
        headers = {"Origin": origin} | host_header
        preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        for method, path, more in (
            ("OPTIONS", "gradio_api/queue/join", preflight),
            ("GET", "config", {}),
            ("GET", "", {}),
            ("GET", "gradio_api/info", {}),
            ("GET", "gradio_api/file=/etc/passwd", {}),
            ("POST", "gradio_api/call/models", JSON),
        ):
            content = {"content": b'{"data": []}'} if method == "POST" else {}
            answer = app.request(method, path, headers=headers | more, **content)
            assert [name for name in answer.headers if name.startswith("access-control-")] == []
    for site in ("cross-site", "same-site"):
        refused = app.request("POST", "gradio_api/call/models", headers=JSON | {"Sec-Fetch-Site": site}, content=b"{}")
        assert refused.status_code == 403 and refused.json()["detail"].startswith("another site's page may not call")
    own = JSON | {"Sec-Fetch-Site": "same-origin", "Origin": app.address.rstrip("/")}
    assert app.request("POST", "gradio_api/call/models", headers=own, content=b'{"data": []}').status_code == 200


@pytest.mark.parametrize(
    "path", ["", "config", "charrnn/components/page_state.js", "gradio_api/info", "nothing", "gradio_api/queue/status"]
)
def test_every_answer_has_security_headers(app: AttackedApp, path: str):
    headers = app.request("GET", path).headers
    assert {name: headers.get_list(name) for name in HEADERS} == {name: [value] for name, value in HEADERS.items()}
    assert CONTENT["default-src"] == "'self'" and "http" not in headers["content-security-policy"]


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host"])
def test_invalid_host_is_refused(app: AttackedApp, name: str):
    invalid = ("a:b", "a:", "a:123456", "[::", ":::", "[:::]", "::1", "1.2.3.999", "[....]", "a:80:80", "[::1]x")
    for host in ("evil/../..", "a b", "<script>", "a@b", "a" * 300, "\x7f", *invalid):
        answer = app.request("GET", "config", headers={name: host})
        assert (answer.status_code, answer.json()) == (400, {"detail": f"the header {name.lower()} names no host"}), (
            host
        )
    for host in ("lab.example", "lab_1.example:8443", "127.0.0.1:7860", "[::1]", "[fe80::1]:7860"):
        assert app.request("GET", "config", headers={name: host}).json()["root"] == f"http://{host}"
    answer = app.request("GET", "config", headers={"X-Forwarded-Host": "lab.example:8443, inner"}).json()
    assert answer["root"].startswith("http://lab.example")


def test_repeated_headers_are_all_checked(app: AttackedApp):
    """Gradio reads the first only."""
    for name, values, status in (
        ("X-Forwarded-Host", ("[::", "lab.example"), 400),
        ("X-Forwarded-Host", ("lab.example", "a:b"), 400),
        ("Sec-Fetch-Site", ("cross-site", "same-origin"), 403),
        ("Content-Type", ("text/plain", "application/json"), 415),
        ("Content-Type", ("application/json", "application/json"), 200),
    ):
        kind = [("Content-Type", "application/json")] if name != "Content-Type" else []
        headers = [*kind, *((name, value) for value in values)]
        answer = app.request("POST", "gradio_api/call/models", headers=headers, content=b'{"data": []}')
        assert answer.status_code == status, (name, values, answer.text)


def test_only_proxy_headers_set_the_root(app: AttackedApp):
    own = app.request("GET", "config").json()["root"]
    for server in ("http://evil.example", "http://[::", "a:b", "https://evil.example/x"):
        answer = app.request("GET", "config", headers={"X-Gradio-Server": server})
        assert (answer.status_code, answer.json()["root"]) == (200, own)


def test_long_address_is_refused(app: AttackedApp):
    refused = app.request("GET", "?passage=" + "a" * 60_000)
    assert refused.status_code == 414 and refused.json()["detail"].endswith("send a shorter text")
    assert app.request("GET", "?passage=" + "%C3%A9" * 5000).status_code == 200


def test_invalid_http_does_not_stop_the_server(app: AttackedApp):
    host, _, port = app.address.removeprefix("http://").rstrip("/").partition(":")
    for sent in (
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Content-Length: 50\r\n\r\n{",
        b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET /?" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /?\xff\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /gradio_api/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YWJjZGVmZ2hpamtsbW5vcA==\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda c=connection: c.recv(65536), b"")).decode("latin-1")
        app.check_for_secrets(answer)
        assert not answer.startswith("HTTP/1.1 2") and " 101 " not in answer


def test_invalid_events_are_refused(app: AttackedApp):
    dependency, part, _ = app.events[0]
    right = {"data": [], "event_data": {}, "fn_index": dependency["id"], "trigger_id": part, "session_hash": "a1"}
    for wrong, reason in (
        ({"fn_index": 9999}, "fn_index is 9999: the page has no such event"),
        ({"fn_index": -1}, "fn_index is -1: the page has no such event"),
        ({"fn_index": None}, "fn_index is None: the page has no such event"),
        ({"fn_index": True}, "fn_index is True: the page has no such event"),
        ({"fn_index": 0.0}, "fn_index is 0.0: the page has no such event"),
        ({"fn_index": "0"}, "fn_index is '0': the page has no such event"),
        ({"trigger_id": 10**9}, "trigger_id is 1000000000: the page has no such part"),
        ({"trigger_id": []}, "trigger_id is []: the page has no such part"),
        ({"data": None}, "data is None: give a list of values"),
        ({"data": [None]}, "data has 1 values: give 0"),
        ({"data": [None] * 1000}, "data has 1000 values: give 0"),
        ({"event_data": [[FILE]]}, "looks like a file"),
        ({"event_data": [{"path": "/etc/passwd"}]}, "looks like a file"),
        ({"event_data": {"form": {"text": FILE}}}, "looks like a file"),
        ({"session_hash": "a" * 65}, "give 1 to 64 letters and digits"),
        ({"session_hash": "../a"}, "session_hash is '../a': give 1 to 64 letters"),
        ({"session_hash": ["a"]}, "session_hash is ['a']: give 1 to 64 letters"),
    ):
        for path in ("gradio_api/queue/join", "gradio_api/run/predict"):
            answer = app.post(path, right | wrong)
            assert answer.status_code in (404, 422) and reason in answer.json()["detail"], (wrong, answer.text)
    assert app.post("gradio_api/queue/join", {**right, "session_hash": None}).status_code == 400


def test_cancelling_unknown_events_does_nothing(app: AttackedApp):
    for path in ("cancel", "reset"):
        for body in (b"", b"[]", b'{"event_id": {}}', b'{"event_id": "../x"}', b'{"session_hash": "a\\u0000"}'):
            assert app.post(f"gradio_api/{path}", body).status_code in (400, 422)
        unknown = {"session_hash": "nobody", "fn_index": 1, "event_id": "nothing"}
        assert app.post(f"gradio_api/{path}", unknown).json() == {"success": True}


def test_unknown_session_has_no_messages(app: AttackedApp):
    for path in ("queue/data?session_hash=nobody", "call/write/nobody", "call/v2/models/nobody"):
        assert "404: Not Found" in app.request("GET", f"gradio_api/{path}").text
    assert [m["msg"] for m in PageSession(app, "nobody").stream()] == ["unexpected_error"]


def test_text_calls_share_a_private_session():
    sent = json.loads(CallValidator({}).text(b'{"data": [{}], "session_hash": "a1"}'))
    assert sent == {"data": [{}], "session_hash": TEXT_SESSION} and not TOKEN.fullmatch(TEXT_SESSION)
