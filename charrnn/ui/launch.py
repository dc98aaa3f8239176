"""Start the server: address, port, allowed hosts, limits."""

import os
import re
import socket
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import gradio as gr

from charrnn.ui.components.theme import theme
from charrnn.ui.server.middleware import bare_name, is_loopback, wrap_app
from charrnn.ui.server.request_deadline import ReceiveDeadlineProtocol
from charrnn.ui.server.static_files import read, routes

MAX_THREADS = 40  # also the number of events that Gradio runs at once
SWITCH_S = 0.001  # of Python's threads: a measurement lets the calls of other pages pass
MAX_SESSIONS = 20  # Gradio's copies of the page's configuration, 300 KB each; they hold nothing of ours


def serve(demo: gr.Blocks, host: str, port: int, allowed: Iterable[str] = (), more_routes: Sequence[Any] = ()) -> str:
    """
    Serve the page from a thread -> its address; no other host is contacted.

    Port 0 takes a free one. allowed: names it answers for, beside those of this machine; "*" is any. Without one a
    loopback address answers for this machine alone, another address for any. GRADIO_ROOT_PATH is the path at which a
    proxy has the page, or its whole address there. more_routes: besides the page's files. Raises OSError, with the
    system's reason, if it cannot listen.
    """
    sys.setswitchinterval(SWITCH_S)
    bound, port = _free(host, port)
    root = os.environ.get("GRADIO_ROOT_PATH", "").rstrip("/")
    names = {bare_name(name) for name in allowed}
    anyone = "*" in names or not (names or is_loopback(bound))
    names |= {bare_name(host), *map(bare_name, re.findall("://([^/]+)", root))}
    lifespan = wrap_app(demo, None if anyone else frozenset(names))
    _, address, _ = demo.launch(
        server_name=f"[{host}]" if ":" in host else host,
        server_port=port,
        root_path=root if "://" in root or not root else f"/{root.lstrip('/')}",
        theme=theme(),
        head=read("components/head.html"),
        app_kwargs={"routes": [*more_routes, *routes()], "lifespan": lifespan},
        max_threads=MAX_THREADS,
        state_session_capacity=MAX_SESSIONS,
        ssr_mode=False,
        run_history=False,
        show_error=False,
        enable_monitoring=False,
        footer_links=[],
        share=False,
        strict_cors=True,
        quiet=True,
        prevent_thread_lock=True,
    )
    demo.server.config.http_protocol_class = ReceiveDeadlineProtocol
    return address


def _free(host: str, port: int) -> tuple[str, int]:
    """Return a free address and port; Gradio's own error omits the reason."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except UnicodeError:
        raise OSError("this is no name of a host") from None
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return probe.getsockname()[:2]
