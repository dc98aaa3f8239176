"""ASGI middleware: allows only the routes, hosts and body sizes this page needs.

Gradio has routes that this app does not use, and accepts bodies of any size, files, and calls from other sites if it
does not run on localhost. Everything not listed here is rejected.

DNS rebinding: another site can point its own name to this machine and so share the origin of this page. Requests for
another host are therefore rejected if the server listens on localhost only, or if hosts were given.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, unquote

import gradio as gr
import httpx

from charrnn.ui.server.page_response import (
    App,
    CompressionMiddleware,
    PageMiddleware,
    Receive,
    Scope,
    Send,
    path_of,
)
from charrnn.ui.server.request_body import (
    ENDED_BY,
    MAX_BYTES,
    TEXT_ENDPOINT,
    TOKEN,
    CallValidator,
    RequestRejected,
    parse_end_event,
)

MAX_ADDRESS_CHARS = 60_000  # the longest text in a link; httpx, with which Gradio parses URLs, allows 65,536
MAX_READ = 64 << 20  # bytes of a rejected body; a client that still sends would not see the response
PAGE = re.compile(r"/(config/?|theme\.css|robots\.txt|favicon\.ico|manifest\.json|pwa_icon(/\d+)?)?")
FILES = re.compile(r"/(assets|static|svelte|charrnn)/.*")
API = re.compile(r"/gradio_api/(info/?|openapi\.json|app_id/?|startup-events|theme\.css|queue/(status|data))")
STREAM = re.compile(r"/gradio_api/(?:heartbeat|call/(?:v2/)?\w+)/([^/]*)")
CALL = re.compile(r"/gradio_api/call/(v2/)?([^/]*)/?")
TEXT_CALL = f"/gradio_api/run/{TEXT_ENDPOINT}"
QUEUE = re.compile(r"/gradio_api/(?:queue|heartbeat|call)/.*")
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?", re.ASCII)
MAX_HOST_CHARS = 255

# All resources are same-origin. Gradio compiles its templates in the browser, and Plotly draws with data: and blob:.
# frame-ancestors is left open, since a Space is shown in a frame.
CONTENT = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # a link to the page contains the user's text
    "content-security-policy": "; ".join(f"{kind} {sources}" for kind, sources in CONTENT.items()),
}


def wrap_app(demo: gr.Blocks, hosts: frozenset[str] | None) -> Callable[[Any], Any]:
    """Return a lifespan that installs the middleware outside of Gradio's own.

    hosts: allowed besides those of this machine; None allows any.
    """

    @asynccontextmanager
    async def lifespan(app: Any):
        page = CompressionMiddleware(PageMiddleware(app.middleware_stack))
        app.middleware_stack = RequestFilterMiddleware(page, CallValidator(demo.fns), hosts)
        yield

    return lifespan


class RequestFilterMiddleware:
    """Middleware around an ASGI app."""

    def __init__(self, app: App, calls: CallValidator, hosts: frozenset[str] | None):
        self.app = app
        self.calls = calls
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await self.app(scope, receive, send)
        else:
            try:
                checked = await self._validate(scope, receive)
            except RequestRejected as rejection:
                await _send_error(rejection, _with_headers(send))
            else:
                await self._pass_on(scope, checked, _with_headers(send))

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call Gradio. If it raises 404 after it sent the status, end the response.

        It does so for a session that it does not know.
        """
        try:
            await self.app(scope, receive, send)
        except RuntimeError as error:
            if getattr(error.__cause__, "status_code", None) != 404:
                raise
            await send({"type": "http.response.body", "body": b""})

    async def _validate(self, scope: Scope, receive: Receive) -> Receive:
        """Validate a request and return its `receive`. Raises RequestRejected."""
        # Gradio would build URLs from this header, for a Node server that is not used here.
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"x-gradio-server"]
        headers = _values(scope)
        path, method = path_of(scope), scope["method"]
        if len(path) + len(scope["query_string"]) > MAX_ADDRESS_CHARS:
            raise RequestRejected(414, f"the address has more than {MAX_ADDRESS_CHARS} characters: send a shorter text")
        for name in ("host", "x-forwarded-host"):  # Gradio builds URLs from them
            if not all(map(_is_host, headers.get(name, []))):
                raise RequestRejected(400, f"the header {name} names no host")
        for name in map(bare_name, headers.get("host", [])):
            if self.hosts is not None and not (name in self.hosts or is_loopback(name)):
                raise RequestRejected(
                    421,
                    f"this page is not at {name}, but at {', '.join(sorted({'localhost', *self.hosts}))}: "
                    f"start it with --allowed-hosts {name}, or with CHARRNN_ALLOWED_HOSTS={name}",
                )
        if (method == "POST" or QUEUE.fullmatch(path)) and not self._is_same_origin(headers):
            raise RequestRejected(403, describe_foreign(headers))
        if method in ("GET", "HEAD"):
            _check_get(path, scope["query_string"])
            return receive
        if method != "POST":
            raise RequestRejected(405, "Method Not Allowed")
        check = self._validator_of(path)
        if {kind.partition(";")[0].strip().lower() for kind in headers.get("content-type", [])} != {"application/json"}:
            raise RequestRejected(415, "the body is not JSON: send it with the header Content-Type: application/json")
        body = check(await _body(receive))
        names = (b"content-length", b"transfer-encoding")
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in names]
        scope["headers"].append((b"content-length", str(len(body)).encode()))
        return _replayed(body, receive)

    def _is_same_origin(self, headers: Mapping[str, Sequence[str]]) -> bool:
        """Check that the request comes from a page of this app, or from no page."""
        if sites := headers.get("sec-fetch-site"):
            return {"same-origin", "none"}.issuperset(sites)
        forwarded = [value.partition(",")[0].strip() for value in headers.get("x-forwarded-host", [])]
        own = {value.lower() for value in (*headers.get("host", []), *forwarded)}
        origins = [value.partition("://")[2].lower() for value in headers.get("origin", [])]
        return all(origin in own or bare_name(origin) in (self.hosts or ()) for origin in origins)

    def _validator_of(self, path: str) -> Callable[[bytes], bytes]:
        """Return the validator of a body for this path. Raises RequestRejected."""
        if path in ("/gradio_api/queue/join", "/gradio_api/run/predict"):
            return self.calls.event
        if path == TEXT_CALL:
            return self.calls.text
        if path in ENDED_BY:
            return lambda body: parse_end_event(path, body)
        if call := CALL.fullmatch(path):
            check = self.calls.by_name if call[1] else self.calls.positional
            return lambda body: check(call[2], body)
        raise RequestRejected(404, "Not Found")


def describe_foreign(headers: Mapping[str, Sequence[str]]) -> str:
    """Describe a call from another site's page, with the settings for a proxy."""
    origin, host = ("".join(headers.get(name, [])[:1]) for name in ("origin", "host"))
    words = "another site's page may not call this one: open it, or call it from a program"
    name = bare_name(origin.partition("://")[2])
    if not name or not _is_host(name):
        return words
    return (
        f"{words}. If {name} is this page behind a proxy, the proxy asks for {host}: let it pass the header Host or "
        f"X-Forwarded-Host, or start the app with --allowed-hosts {name}"
    )


def bare_name(host: str) -> str:
    """Strip port, brackets and a trailing dot of a Host header; lower case."""
    inner = host[1:].partition("]")[0] if host.startswith("[") else host
    name = inner if inner.count(":") > 1 or host.startswith("[") else inner.partition(":")[0]
    return name.lower().removesuffix(".")


def is_loopback(name: str) -> bool:
    """Check if a bare name or address is a loopback name for every client."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _values(scope: Scope) -> dict[str, list[str]]:
    """Return all values of each header; parsers differ in which duplicate they use."""
    values = dict[str, list[str]]()
    for name, value in scope["headers"]:
        values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return values


def _is_host(value: str) -> bool:
    """Check if the first of several values is a host that Gradio can parse."""
    host = value.partition(",")[0].strip()
    if len(host) > MAX_HOST_CHARS or not HOST.fullmatch(host):
        return False
    try:
        httpx.URL(f"http://{host}")
    except httpx.InvalidURL:  # for example [:::] or 1.2.3.999
        return False
    return True


def _check_get(path: str, query: bytes) -> None:
    """Reject paths that are not listed. Raises RequestRejected."""
    parameters = parse_qs(query.decode("latin-1"))
    session = [*parameters.get("session_hash", []), *STREAM.findall(path)]
    is_known = any(kind.fullmatch(path) for kind in (PAGE, FILES, API, STREAM))
    if not is_known or parameters.keys() & {"page", "deep_link"} or not all(map(TOKEN.fullmatch, session)):
        raise RequestRejected(404, "Not Found")
    if not unquote(path).isprintable():
        raise RequestRejected(404, "Not Found")


async def _body(receive: Receive) -> bytes:
    """Receive the whole body. Raises RequestRejected if it is too large or incomplete."""
    parts, length = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestRejected(400, "the body ended early")
        length += len(message.get("body", b""))
        if length <= MAX_BYTES:
            parts.append(message.get("body", b""))
        if not message.get("more_body") or length > MAX_READ:
            break
    if length > MAX_BYTES:
        raise RequestRejected(413, f"the body has more than {MAX_BYTES} bytes: send a shorter text")
    return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields the body and then the original messages."""
    rest = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> MutableMapping[str, Any]:
        return rest.pop() if rest else await receive()

    return replay


def _with_headers(send: Send) -> Send:
    """Return a `send` that sets this app's headers and forbids cross-origin reads."""

    async def send_with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            others = [pair for pair in message.get("headers", []) if not pair[0].lower().startswith(b"access-control-")]
            message["headers"] = others + [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        await send(message)

    return send_with_headers


async def _send_error(rejection: RequestRejected, send: Send) -> None:
    body = json.dumps({"detail": str(rejection)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if rejection.status == 413:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": rejection.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
