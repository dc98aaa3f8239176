"""ASGI middleware: compression, and the page's own address and link preview."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gradio.brotli_middleware import BrotliMiddleware

from charrnn.ui.server.link_preview import with_preview
from charrnn.ui.server.static_files import read

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COMPRESSED = ("/", "/config", "/gradio_api/info", "/gradio_api/run/predict", "/gradio_api/run/continue_text")
MIN_BYTES = 1024
PAGE_ADDRESS = "components/page_address.js"
MODULE = b'<script type="module"'  # the first one is Gradio's


def path_of(scope: Scope) -> str:
    """Return the path below the root path of the app."""
    path, root = scope["path"], scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


class CompressionMiddleware(BrotliMiddleware):
    """Compresses the responses of COMPRESSED; Gradio compresses those of files only."""

    def __init__(self, app: App):
        super().__init__(app, minimum_size=MIN_BYTES)

    def _is_compressible_file_type(self, scope: Scope) -> bool:
        return scope["type"] == "http" and path_of(scope) in COMPRESSED


class PageMiddleware:
    """Inserts PAGE_ADDRESS and the link preview into the page."""

    def __init__(self, app: App):
        self.app = app
        self.script = f"<script>{read(PAGE_ADDRESS)}</script>".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or path_of(scope) != "/":
            return await self.app(scope, receive, send)
        head: MutableMapping[str, Any] = {}
        parts = []

        async def send_page(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            body = with_preview(b"".join(parts)).replace(MODULE, self.script + MODULE, 1)
            others = [pair for pair in head["headers"] if pair[0].lower() != b"content-length"]
            await send({**head, "headers": [*others, (b"content-length", str(len(body)).encode())]})
            await send({**message, "body": body})

        await self.app(scope, receive, send_page)
