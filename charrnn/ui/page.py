"""The layout of the page: header, sidebar and tabs."""

import json
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import gradio as gr
from anyio.to_thread import run_sync

from charrnn.ui import api, tabs
from charrnn.ui.compare import tab as compare_tab
from charrnn.ui.components.tab_contents import MODULE, tab_contents
from charrnn.ui.gradients import tab as gradients_tab
from charrnn.ui.lab_sheet import tab as lab_sheet_tab
from charrnn.ui.lecture.lecture import initial_value, open_link, register_events
from charrnn.ui.neurons import tab as neurons_tab
from charrnn.ui.server import text_calls
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.opening import opening_of
from charrnn.ui.server.request_parameters import Choice, count_of
from charrnn.ui.server.share_link import TABS
from charrnn.ui.server.static_files import read, view
from charrnn.ui.server.streaming import QUIET, Part, add_part
from charrnn.ui.server.view_query import ViewQuery
from charrnn.ui.sidebar.sidebar import describe_models
from charrnn.ui.under_the_hood import tab as hood_tab

ANALYSIS_TABS: dict[str, Callable[[Store], list[Part]]] = {
    "gradients": gradients_tab.parts,
    "neurons": neurons_tab.parts,
    "compare": compare_tab.parts,
    "hood": hood_tab.parts,
    "lab": lab_sheet_tab.parts,
}


def build_demo(store: Store) -> gr.Blocks:
    """Build the page of a store, whose models are loaded on demand."""

    async def open_page(request: gr.Request) -> tuple[Any, Any, Any]:
        sent = dict(request.query_params)
        try:
            found = await run_sync(opening_of, store, sent)
            link = await run_sync(open_link, store, found.link if found else sent)
        except ValueError:
            return describe_models(store, None), gr.skip(), gr.skip()
        shown = json.dumps(found.to_json()) if found else gr.skip()
        return describe_models(store, link.loaded, link), initial_value(store, link), shown

    async def refresh(event: gr.EventData) -> str:
        notice = await run_sync(store.rescan)
        try:
            choice = ViewQuery.from_page(event._data).choice
        except ValueError:
            choice = Choice()
        loaded = await run_sync(store.nearest_checkpoint, *astuple(choice))
        return describe_models(store, loaded, status=notice, refreshed=count_of("sent", event._data))

    with gr.Blocks(title="Char-RNN Lab", analytics_enabled=False, fill_width=True) as demo:
        api.build(store)  # first, so that Gradio gives its endpoints the names of its functions
        text_calls.build(store)
        gr.HTML(read("components/header.html"), apply_default_css=False, elem_classes="cr-header")
        lecture = view("lecture/lecture", "cr-lecture-view")
        with gr.Row(elem_classes="cr-page"):
            with gr.Column(elem_classes="cr-aside", scale=0, min_width=0):
                controls = view("sidebar/sidebar", "cr-left")
            with (
                gr.Column(elem_classes="cr-main", scale=1, min_width=0),
                gr.Tabs(elem_classes="cr-tabs", overflow_behavior="wrap"),
            ):
                with gr.Tab(tabs.WRITE, elem_id="cr-tab-write"):
                    opening = view("write/opening", "cr-opening-view")
                    view("write/view", "cr-view")
                for name, list_parts in ANALYSIS_TABS.items():
                    with gr.Tab(TABS[name], elem_id=f"cr-tab-{name}"):
                        parts = list_parts(store)
                        if contents := tab_contents(parts):
                            view(MODULE, "cr-view", contents)
                        for part in parts:
                            add_part(part)

        demo.load(open_page, None, [controls, lecture, opening], **QUIET)
        register_events(store, controls, lecture)
        controls.refresh(refresh, None, controls, **QUIET)
    demo.queue(api_open=False, max_size=1000, default_concurrency_limit=8)
    return demo
