"""One view for every Plotly figure: keeps the zoom, follows light and dark, fits its box; and what answers it."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import gradio as gr
from anyio.to_thread import run_sync

from charrnn.ui.assets import view
from charrnn.ui.house import busy_words
from charrnn.ui.questions import Newest, Question, number_of
from charrnn.ui.store import Store

BACKGROUND: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "trigger_mode": "multiple",
    "concurrency_limit": None,  # the desks are counted below, where a visitor can be told
    "concurrency_id": "analysis",
}
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def plot_view(template: str = "plot_view/plot") -> gr.HTML:
    """
    A form, a figure, its words and a table, as far as the template has them.

    Sends the event `ask` (a Question) when it comes into sight and when a choice changes; takes what `answer` makes.
    """
    return view("plot_view/plot", "cr-view", template)


def answering(store: Store, shown: gr.HTML, answers: Callable[[Question, Callable[[], bool]], Iterator[str]]) -> None:
    """
    Let `answers` answer what a view asks, one value after the other; ValueErrors are told in its words.

    Its second argument says whether the answer is still wanted: a newer question makes an older one pointless. It runs
    beside the event loop, at one of the store's desks; whoever waits for one is told how many are ahead.
    """

    async def ask(newest: Newest, event: gr.EventData) -> AsyncIterator[Any]:
        desks, me = store.desks, object()
        try:
            question = Question.from_page(event._data)
            newest.asked(question)
            async for ahead in desks.wait(me, lambda: newest.wants(question)):
                yield gr.skip() if ahead is None else answer(question.number, busy_words(ahead), -ahead - 2, busy=True)
            if not newest.wants(question):
                return
            values = answers(question, lambda: newest.wants(question))
            while (value := await run_sync(next, values, None)) is not None:
                yield value
        except ValueError as error:
            yield answer(number_of(event._data), f"{error}.")
        finally:
            desks.leave(me)

    def failed(newest: Newest) -> str:
        return answer(newest.number, "The server could not answer this: try again, or reload the page.", part=-1)

    state = gr.State(Newest())
    shown.ask(ask, state, shown, **BACKGROUND).failure(failed, state, shown, **QUIET)


def answer(number: int, words: str, part: int = 0, light: str = "", dark: str = "", **more: Any) -> str:
    """
    A figure, as Plotly JSON for either theme, and the same in words; no figure where there is none to show.

    The number is that of the question, `part` counts its answers: each value differs from the one before, or the page
    would not notice it.
    """
    told = json.dumps({"number": number, "part": part, "words": words, **more}, ensure_ascii=False)
    text = f'{told[:-1]},"light":{light or "null"},"dark":{dark or "null"}}}'
    return text.replace("<", "\\u003c")  # the same JSON, and never mistaken for markup on its way
