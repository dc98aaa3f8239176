"""One view for every Plotly figure: keeps the zoom, follows light and dark, fits its box; and what answers it."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import gradio as gr
from anyio.to_thread import run_sync

from charrnn.ui.server.malloc_trim import USERS
from charrnn.ui.server.static_files import view
from charrnn.ui.server.validation import count_of
from charrnn.ui.server.view_query import LatestQuery, Question, Wanted, until_superseded

MAX_ANALYSES = 4  # at once; others wait in Gradio's queue

EVENT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
QUIET: dict[str, Any] = EVENT | {"queue": False}
ANALYSIS: dict[str, Any] = EVENT | {"concurrency_limit": MAX_ANALYSES, "concurrency_id": "analysis"}

Answers = Callable[[Question, Wanted], Iterator[str]]


def add_part(elem_id: str, name: str, answers: Answers, template: str = "") -> None:
    """Lay out a view as a part of a tab, and let it answer."""
    with gr.Column(elem_classes="cr-part", elem_id=elem_id):
        answering(view(name, "cr-view", template), answers)


def answering(shown: gr.HTML, answers: Answers) -> None:
    """
    Let `answers` answer what a view asks (its event `ask`), each time with one value more; ValueErrors in its words.

    Its second argument says whether the answer is still wanted: a newer query of the page makes an older one pointless.
    It runs in a worker thread, as soon as Gradio's queue lets it.
    """
    latest = LatestQuery()

    def note(event: gr.EventData, request: gr.Request) -> None:
        latest.note(str(request.session_hash), count_of("number", event._data))

    async def ask(event: gr.EventData, request: gr.Request) -> AsyncIterator[Any]:
        page, number = str(request.session_hash), count_of("number", event._data)

        def wanted() -> bool:
            return number >= latest.number(page)

        if not wanted():
            return
        with USERS.one():
            try:
                values = until_superseded(answers(Question.from_page(event._data), wanted))
                while (value := await run_sync(next, values, None)) is not None:
                    yield value
            except ValueError as error:
                yield answer(number, f"{error}.")

    def failed(request: gr.Request) -> str:
        number = latest.number(str(request.session_hash))
        return answer(number, "The server could not answer this: try again, or reload the page.", part=-1)

    shown.ask(note, None, None, **QUIET)
    shown.ask(ask, None, shown, **ANALYSIS).failure(failed, None, shown, **QUIET)


def answer(number: int, words: str, part: int = 0, figure: Any = None, **more: Any) -> str:
    """
    A Plotly figure and the same in words; no figure where there is none to show.

    The number is that of the question, `part` counts its answers: each value differs from the one before, or the page
    would not notice it.
    """
    told = json.dumps({"number": number, "part": part, "words": words, **more}, ensure_ascii=False)
    text = f'{told[:-1]},"figure":{figure.to_json() if figure else "null"}}}'
    return text.replace("<", "\\u003c")  # the same JSON, and never mistaken for markup on its way
