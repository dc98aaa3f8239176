"""The page: a header, the left column, the list of tabs; and how it is served."""

import os
import re
import socket
import sys
from collections.abc import Iterable
from functools import partial
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
    write_tab,
)
from charrnn.ui.assets import read, routes
from charrnn.ui.code_errors import raised
from charrnn.ui.control_view.control_view import control_view, offer, refreshed
from charrnn.ui.guard import bare_name, guarded, is_of_this_machine
from charrnn.ui.kept import Kept
from charrnn.ui.lecture_view.lecture_view import arrival, lecture_view, opened, walking
from charrnn.ui.link import Link
from charrnn.ui.messages import notice
from charrnn.ui.presence import Presence, keep_no_statistics
from charrnn.ui.request_deadline import PunctualProtocol
from charrnn.ui.session import Session
from charrnn.ui.store import Store
from charrnn.ui.theme import theme
from charrnn.ui.wishes import Choice, count_of
from charrnn.ui.write_tab import EACH, QUIET

MOST_THREADS = 600  # also Gradio's limit of events at once, more than house.py lets in: nobody waits unseen
SWITCH_S = 0.001  # of Python's threads: whoever measures something lets the messages pass
MOST_SESSIONS = 500  # each takes some 300 KB: a page that is closed is forgotten earlier


def build_demo(store: Store) -> gr.Blocks:
    """The whole page on these checkpoints; nothing is loaded before a visitor comes."""
    presence = Presence()

    async def arrive(session: Session, kept: Any, request: gr.Request) -> tuple[Any, Any, Any]:
        presence.here(str(request.session_hash), session)
        try:
            link = await run_sync(arrival, store, dict(request.query_params))
            await begin(session, kept, link)
        except ValueError as error:
            return offer(store, None), session.trouble(error), gr.skip()
        except Exception as error:  # the code of this model: another one may run
            return offer(store, session.reader), session.trouble(ValueError(raised(error))), gr.skip()
        return offer(store, session.reader, link), await session.show(), opened(store, link)

    async def begin(session: Session, kept: Any, link: Link) -> None:
        """With the text that the page has kept, where it has; else with what its address asks for."""
        if not kept:
            return await session.follow(store, link)
        try:
            await session.restore(store, Kept.from_page(kept))
        except ValueError as error:
            await session.follow(store, link)
            session.telling.saying = {"notice": notice(f"The text could not be brought back: {error}.", problem=True)}

    async def model(session: Session, event: gr.EventData) -> Any:
        try:
            wanted = session.clicks.newest("model", count_of("sent", event._data))
            return await session.change_model(store, Choice.from_page(event._data), wanted) or gr.skip()
        except ValueError as error:
            return session.trouble(error)
        except Exception as error:
            return session.trouble(ValueError(raised(error)))

    async def refresh(session: Session, event: gr.EventData) -> str:
        said = await store.together("refresh", partial(run_sync, store.refresh))
        reader = await run_sync(store.nearest, session.reader)
        return refreshed(store, reader, said, count_of("sent", event._data))

    async def leave(request: gr.Request) -> None:
        presence.gone(str(request.session_hash), demo)

    with gr.Blocks(title="Char-RNN Lab", analytics_enabled=False, fill_width=True) as demo:
        api.build(store)  # first: the names of its functions are the names of the endpoints
        state = gr.State(Session())
        gr.HTML(read("header.html"), apply_default_css=False, elem_classes="cr-header")
        with gr.Row(elem_classes="cr-page"):
            with gr.Column(elem_classes="cr-aside", scale=0, min_width=0):
                lecture = lecture_view()
                controls = control_view()
            with gr.Column(elem_classes="cr-main", scale=1, min_width=0), gr.Tabs(elem_classes="cr-tabs"):
                with gr.Tab(lab_map.WRITE, elem_id="cr-tab-write"):
                    view = write_tab.build(store, state, controls)
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

        demo.load(arrive, [state, view], [controls, view, lecture], js=read("kept.js"), **QUIET)
        walking(store, state, controls, view, lecture)
        demo.unload(leave)
        controls.model(model, state, view, **EACH)
        controls.refresh(refresh, state, controls, **EACH)
    demo.queue(api_open=False, max_size=1000, default_concurrency_limit=8)
    keep_no_statistics(demo)
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
        max_threads=MOST_THREADS,
        state_session_capacity=MOST_SESSIONS,
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
