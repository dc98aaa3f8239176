"""Registers analyses of views, and streams their messages."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
from anyio.to_thread import run_sync

from charrnn.ui.server.malloc_trim import MEMORY_USE
from charrnn.ui.server.page_messages import error_sentence
from charrnn.ui.server.request_parameters import count_of
from charrnn.ui.server.static_files import read, view
from charrnn.ui.server.view_query import IsCurrent, LatestQuery, ViewQuery, until_superseded

MAX_ANALYSES = 4  # concurrently; others wait in Gradio's queue

EVENT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
QUIET: dict[str, Any] = EVENT | {"queue": False}
ANALYSIS: dict[str, Any] = EVENT | {"concurrency_limit": MAX_ANALYSES, "concurrency_id": "analysis"}

Stream = Callable[[ViewQuery, IsCurrent], Iterator[str]]


@dataclass(frozen=True)
class Part:
    """
    A view of a tab and its analysis.

    name: of the view's module and, without `template`, of its HTML. stream: None for a view that the page computes
    itself. label: text of its link at the top of the tab, see components/tab_contents.py.
    """

    elem_id: str
    name: str
    stream: Stream | None = None
    template: str = ""
    label: str = ""

    @property
    def id(self) -> str:
        """Return a name that no other part has."""
        return self.template or self.name


def add_part(part: Part) -> None:
    """Add a view and register its analysis."""
    with gr.Column(elem_classes="cr-part", elem_id=part.elem_id):
        shown = view(part.name, "cr-view", read(f"{part.template or part.name}.html"))
        if part.stream:
            register_stream(shown, part.stream)


def register_stream(shown: gr.HTML, stream: Stream) -> None:
    """Stream the messages of `stream` for each `ask` event, or its ValueError.

    It runs in a worker thread of Gradio's queue. A newer query of the same page supersedes it.
    """
    latest = LatestQuery()

    def record(event: gr.EventData, request: gr.Request) -> None:
        latest.start(str(request.session_hash), count_of("number", event._data))

    async def ask(event: gr.EventData, request: gr.Request) -> AsyncIterator[Any]:
        page, number = str(request.session_hash), count_of("number", event._data)

        def is_current() -> bool:
            return number >= latest.number(page)

        if not is_current():
            return
        with MEMORY_USE.block():
            try:
                messages = until_superseded(stream(ViewQuery.from_page(event._data), is_current))
                while (text := await run_sync(next, messages, None)) is not None:
                    yield text
            except ValueError as error:
                yield message(number, error_sentence(error))

    def failed(request: gr.Request) -> str:
        number = latest.number(str(request.session_hash))
        return message(number, "The server could not answer this: try again, or reload the page.", part=-1)

    shown.ask(record, None, None, **QUIET)
    shown.ask(ask, None, shown, **ANALYSIS).failure(failed, None, shown, **QUIET)


def message(number: int, words: str, part: int = 0, figure: Any = None, **more: Any) -> str:
    """Encode a message to a view: words, a Plotly figure or None, and further fields.

    number: of the query. part: counts its messages, since Gradio does not send a value equal to the previous one.
    """
    head = json.dumps({"number": number, "part": part, "words": words, **more}, ensure_ascii=False)
    text = f'{head[:-1]},"figure":{figure.to_json() if figure else "null"}}}'
    return text.replace("<", "\\u003c")  # the same JSON without markup
