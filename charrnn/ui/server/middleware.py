"""
What stands between the network and Gradio: only what this page needs is answered, and nothing larger than it needs.

Gradio takes bodies of any size, files, and calls from every other page where it does not run on localhost; and it has
routes for what this app does not do. Here is what is open; everything else is not there.

Another site can give its own name the address of this machine: for the browser its page is then of the same origin as
this one. Where only this machine is listened to, or names were given, a request for any other name is refused.
"""

import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, unquote

import gradio as gr
import httpx

from charrnn.ui.server.call_validation import ENDED_BY, MOST_BYTES, TEXT_ENDPOINT, TOKEN, Calls, RefusedError, ending

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LONGEST_ADDRESS = 60_000  # the longest passage as a link; httpx, with which Gradio reads addresses, takes little more
MOST_READ = 64 << 20  # of a body that is refused: who sends it would not see the answer before its end
PAGE = re.compile(r"/(config/?|theme\.css|robots\.txt|favicon\.ico|manifest\.json|pwa_icon(/\d+)?)?")
FILES = re.compile(r"/(assets|static|svelte|charrnn)/.*")
API = re.compile(r"/gradio_api/(info/?|openapi\.json|app_id/?|startup-events|theme\.css|queue/(status|data))")
STREAM = re.compile(r"/gradio_api/(?:heartbeat|call/(?:v2/)?\w+)/([^/]*)")
CALL = re.compile(r"/gradio_api/call/(v2/)?([^/]*)/?")
TEXT_CALL = f"/gradio_api/run/{TEXT_ENDPOINT}"
QUEUE = re.compile(r"/gradio_api/(?:queue|heartbeat|call)/.*")
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?", re.ASCII)
LONGEST_HOST = 255

# Everything of the page comes from where the page came from. Gradio's templates are compiled in the browser, and Plotly
# draws with data: and blob:; who may show the page in a frame is left open, as a Space is shown in one.
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
    "referrer-policy": "same-origin",  # a link to the page carries the visitor's text
    "content-security-policy": "; ".join(f"{kind} {sources}" for kind, sources in CONTENT.items()),
}


def guarded(demo: gr.Blocks, hosts: frozenset[str] | None) -> Callable[[Any], Any]:
    """
    What Gradio runs as long as the server lives: the guard stands before all the app has put before itself.

    hosts: the names that are answered for beside those of this machine; None answers for any.
    """

    @asynccontextmanager
    async def lifespan(app: Any):
        app.middleware_stack = Guard(app.middleware_stack, Calls(demo.fns), hosts)
        yield

    return lifespan


class Guard:
    """An ASGI app before another one."""

    def __init__(self, app: App, calls: Calls, hosts: frozenset[str] | None):
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
                checked = await self._checked(scope, receive)
            except RefusedError as refusal:
                await _refuse(refusal, _own(send))
            else:
                await self._pass_on(scope, checked, _own(send))

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Gradio finds out that there is no such session when its answer has begun, and has told the client so."""
        try:
            await self.app(scope, receive, send)
        except RuntimeError as error:
            if getattr(error.__cause__, "status_code", None) != 404:
                raise
            await send({"type": "http.response.body", "body": b""})

    async def _checked(self, scope: Scope, receive: Receive) -> Receive:
        """The request as it may be passed on. Raises RefusedError."""
        # Gradio makes addresses of it, for a server of its own that does not run here
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"x-gradio-server"]
        headers = _values(scope)
        path, method = _path(scope), scope["method"]
        if len(path) + len(scope["query_string"]) > LONGEST_ADDRESS:
            raise RefusedError(414, f"the address has more than {LONGEST_ADDRESS} characters: send a shorter text")
        for name in ("host", "x-forwarded-host"):  # Gradio makes addresses of them
            if not all(map(_names_host, headers.get(name, []))):
                raise RefusedError(400, f"the header {name} names no host")
        for name in map(bare_name, headers.get("host", [])):
            if self.hosts is not None and not (name in self.hosts or is_of_this_machine(name)):
                raise RefusedError(
                    421,
                    f"this page is not at {name}, but at {', '.join(sorted({'localhost', *self.hosts}))}: "
                    f"start it with --allowed-hosts {name}, or with CHARRNN_ALLOWED_HOSTS={name}",
                )
        if (method == "POST" or QUEUE.fullmatch(path)) and not self._is_of_own_page(headers):
            raise RefusedError(403, "another site's page may not call this one: open it, or call it from a program")
        if method in ("GET", "HEAD"):
            _check_asked(path, scope["query_string"])
            return receive
        if method != "POST":
            raise RefusedError(405, "Method Not Allowed")
        check = self._check_of(path)
        if {kind.partition(";")[0].strip().lower() for kind in headers.get("content-type", [])} != {"application/json"}:
            raise RefusedError(415, "the body is not JSON: send it with the header Content-Type: application/json")
        body = check(await _body(receive))
        names = (b"content-length", b"transfer-encoding")
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in names]
        scope["headers"].append((b"content-length", str(len(body)).encode()))
        return _replayed(body, receive)

    def _is_of_own_page(self, headers: Mapping[str, Sequence[str]]) -> bool:
        """Whether a page of this app asks, or no page at all: a browser says so, an older one only where it is from."""
        if sites := headers.get("sec-fetch-site"):
            return {"same-origin", "none"}.issuperset(sites)
        forwarded = [value.partition(",")[0].strip() for value in headers.get("x-forwarded-host", [])]
        own = {value.lower() for value in (*headers.get("host", []), *forwarded)}
        origins = [value.partition("://")[2].lower() for value in headers.get("origin", [])]
        return all(origin in own or bare_name(origin) in (self.hosts or ()) for origin in origins)

    def _check_of(self, path: str) -> Callable[[bytes], bytes]:
        """What looks at the body of a call to this path. Raises RefusedError."""
        if path in ("/gradio_api/queue/join", "/gradio_api/run/predict"):
            return self.calls.event
        if path == TEXT_CALL:
            return self.calls.text
        if path in ENDED_BY:
            return lambda body: ending(path, body)
        if call := CALL.fullmatch(path):
            check = self.calls.by_name if call[1] else self.calls.by_place
            return lambda body: check(call[2], body)
        raise RefusedError(404, "Not Found")


def bare_name(host: str) -> str:
    """The name in a host as a header has it: without a port, brackets, or a dot at its end; in lower case."""
    inner = host[1:].partition("]")[0] if host.startswith("[") else host
    name = inner if inner.count(":") > 1 or host.startswith("[") else inner.partition(":")[0]
    return name.lower().removesuffix(".")


def is_of_this_machine(name: str) -> bool:
    """Whether a bare name, or address, means the machine itself whoever asks."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _path(scope: Scope) -> str:
    """The path below the address at which the app is served."""
    path, root = scope["path"], scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _values(scope: Scope) -> dict[str, list[str]]:
    """All values of each header: who reads only one of them may take the first, or the last."""
    values = dict[str, list[str]]()
    for name, value in scope["headers"]:
        values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return values


def _names_host(value: str) -> bool:
    """Whether the first of what may be several names a host that Gradio can make an address of."""
    host = value.partition(",")[0].strip()
    if len(host) > LONGEST_HOST or not HOST.fullmatch(host):
        return False
    try:
        httpx.URL(f"http://{host}")
    except httpx.InvalidURL:  # [:::], or 1.2.3.999
        return False
    return True


def _check_asked(path: str, query: bytes) -> None:
    """Raises RefusedError unless this may be asked for."""
    asked = parse_qs(query.decode("latin-1"))
    session = [*asked.get("session_hash", []), *STREAM.findall(path)]
    is_known = any(kind.fullmatch(path) for kind in (PAGE, FILES, API, STREAM))
    if not is_known or asked.keys() & {"page", "deep_link"} or not all(map(TOKEN.fullmatch, session)):
        raise RefusedError(404, "Not Found")
    if not unquote(path).isprintable():
        raise RefusedError(404, "Not Found")


async def _body(receive: Receive) -> bytes:
    """The body to its end. Raises RefusedError where it is too large, or its end does not come."""
    parts, length = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "the body ended early")
        length += len(message.get("body", b""))
        if length <= MOST_BYTES:
            parts.append(message.get("body", b""))
        if not message.get("more_body") or length > MOST_READ:
            break
    if length > MOST_BYTES:
        raise RefusedError(413, f"the body has more than {MOST_BYTES} bytes: send a shorter text")
    return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What gives the body, and then whatever comes: the end of the connection."""
    rest = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> MutableMapping[str, Any]:
        return rest.pop() if rest else await receive()

    return again


def _own(send: Send) -> Send:
    """What sends an answer with the headers of this app, and lets no other site read it."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", []) if not pair[0].lower().startswith(b"access-control-")]
            message["headers"] = kept + [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        await send(message)

    return sending


async def _refuse(refusal: RefusedError, send: Send) -> None:
    told = json.dumps({"detail": str(refusal)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(told)).encode())]
    if refusal.status == 413:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": told})
