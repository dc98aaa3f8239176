"""Start the server: address, port, allowed hosts, limits."""

import os
import re
import socket
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import gradio as gr

from charrnn.ui.components.gradio_theme import theme
from charrnn.ui.server.middleware import bare_name, is_loopback, wrap_app
from charrnn.ui.server.request_deadline import ReceiveDeadlineProtocol
from charrnn.ui.server.static_files import read, routes

MAX_THREADS = 40  # also the number of events that Gradio runs at once
SWITCH_S = 0.001  # thread switch interval, so that an analysis does not delay calls of other pages
MAX_SESSIONS = 20  # sessions with a copy of the page's configuration in Gradio, 300 KB each


def serve(demo: gr.Blocks, host: str, port: int, allowed: Iterable[str] = (), more_routes: Sequence[Any] = ()) -> str:
    """
    Serve the page from a thread, and return its URL.

    Port 0 selects a free one. allowed: host names of accepted requests, besides those of this machine; "*" is any.
    Without names, a loopback address accepts this machine only, another address any host. more_routes: besides those of
    the page's files. The environment variable GRADIO_ROOT_PATH is the path of the page behind a proxy, or its whole
    URL. Raises OSError, with the system's reason, if it cannot listen.
    """
    sys.setswitchinterval(SWITCH_S)
    address, port = _free_address(host, port)
    root = os.environ.get("GRADIO_ROOT_PATH", "").rstrip("/")
    names = {bare_name(name) for name in allowed}
    is_open = "*" in names or not (names or is_loopback(address))
    names |= {bare_name(host), *map(bare_name, re.findall("://([^/]+)", root))}
    lifespan = wrap_app(demo, None if is_open else frozenset(names))
    _, url, _ = demo.launch(
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
    return url


def _free_address(host: str, port: int) -> tuple[str, int]:
    """Return the address and port to listen on, bound once to raise any OSError."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except UnicodeError:
        raise OSError(f"{host!r} is not a host name: give one as lab.example, or an address") from None
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return probe.getsockname()[:2]
