"""The page: a header, the left column, the list of tabs; and how it is served."""

import os
import re
import socket
import sys
from collections.abc import Iterable
from dataclasses import astuple
from typing import Any

import gradio as gr
from anyio.to_thread import run_sync

from charrnn.ui import (
    api,
    compare_tab,
    gradients_tab,
    hood_tab,
    knob_part,
    lab_map,
    memory_part,
    neurons_tab,
    over_training,
    where_part,
)
from charrnn.ui.assets import read, routes, view
from charrnn.ui.control_view.control_view import offer, refreshed
from charrnn.ui.guard import bare_name, guarded, is_of_this_machine
from charrnn.ui.lecture_view.lecture_view import arrival, opened, walking
from charrnn.ui.plot_view.plot_view import QUIET
from charrnn.ui.questions import Question
from charrnn.ui.request_deadline import PunctualProtocol
from charrnn.ui.session import text_calls
from charrnn.ui.store import Store
from charrnn.ui.theme import theme
from charrnn.ui.wishes import Choice, count_of

MAX_THREADS = 40  # also the number of events that Gradio runs at once
SWITCH_S = 0.001  # of Python's threads: a measurement lets the calls of other pages pass
MAX_SESSIONS = 20  # Gradio's copies of the page's configuration, 300 KB each; they hold nothing of ours


def build_demo(store: Store) -> gr.Blocks:
    """The whole page on these checkpoints; nothing is loaded before a visitor comes."""

    async def arrive(request: gr.Request) -> tuple[Any, Any]:
        try:
            link = await run_sync(arrival, store, dict(request.query_params))
        except ValueError:
            return offer(store, None), gr.skip()
        return offer(store, link.reader, link), opened(store, link)

    async def refresh(event: gr.EventData) -> str:
        said = await run_sync(store.refresh)
        try:
            choice = Question.from_page(event._data).choice
        except ValueError:
            choice = Choice()
        reader = await run_sync(store.nearest, *astuple(choice))
        return refreshed(store, reader, said, count_of("sent", event._data))

    with gr.Blocks(title="Char-RNN Lab", analytics_enabled=False, fill_width=True) as demo:
        api.build(store)  # first: the names of its functions are the names of the endpoints
        text_calls.build(store)
        gr.HTML(read("header.html"), apply_default_css=False, elem_classes="cr-header")
        with gr.Row(elem_classes="cr-page"):
            with gr.Column(elem_classes="cr-aside", scale=0, min_width=0):
                lecture = view("lecture_view/lecture_view", "cr-lecture-view")
                controls = view("control_view/control_view", "cr-left")
            with gr.Column(elem_classes="cr-main", scale=1, min_width=0), gr.Tabs(elem_classes="cr-tabs"):
                with gr.Tab(lab_map.WRITE, elem_id="cr-tab-write"):
                    view("live_view/view", "cr-view")
                with gr.Tab(lab_map.GRADIENTS, elem_id="cr-tab-gradients"):
                    gradients_tab.build(store)
                    knob_part.build(store)
                    where_part.build(store)
                    memory_part.build(store)
                    over_training.build(store)
                with gr.Tab(lab_map.NEURONS, elem_id="cr-tab-neurons"):
                    neurons_tab.build(store)
                with gr.Tab(lab_map.COMPARE, elem_id="cr-tab-compare"):
                    compare_tab.build(store)
                with gr.Tab(lab_map.HOOD, elem_id="cr-tab-hood"):
                    hood_tab.build(store)

        demo.load(arrive, None, [controls, lecture], **QUIET)
        walking(store, controls, lecture)
        controls.refresh(refresh, None, controls, **QUIET)
    demo.queue(api_open=False, max_size=1000, default_concurrency_limit=8)
    return demo


def serve(demo: gr.Blocks, host: str, port: int, allowed: Iterable[str] = ()) -> str:
    """
    Serve the page from a thread -> its address; everything the page needs comes from this machine.

    Port 0 takes a free one. allowed: names it answers for, beside those of this machine; "*" is any. Without one a
    loopback address answers for this machine alone, another address for any. GRADIO_ROOT_PATH is the path at which a
    proxy has the page, or its whole address there. Raises OSError, with the system's reason, where nobody can listen.
    """
    sys.setswitchinterval(SWITCH_S)
    bound, port = _free(host, port)
    root = os.environ.get("GRADIO_ROOT_PATH", "").rstrip("/")
    names = {bare_name(name) for name in allowed}
    anyone = "*" in names or not (names or is_of_this_machine(bound))
    names |= {bare_name(host), *map(bare_name, re.findall("://([^/]+)", root))}
    _, address, _ = demo.launch(
        server_name=f"[{host}]" if ":" in host else host,
        server_port=port,
        root_path=root if "://" in root or not root else f"/{root.lstrip('/')}",
        theme=theme(),
        head=read("head.html"),
        app_kwargs={"routes": routes(), "lifespan": guarded(demo, None if anyone else frozenset(names))},
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
    demo.server.config.http_protocol_class = PunctualProtocol
    return address


def _free(host: str, port: int) -> tuple[str, int]:
    """The address and the port, where one can listen there: Gradio itself would not say why it cannot."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except UnicodeError:
        raise OSError("this is no name of a host") from None
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return probe.getsockname()[:2]
