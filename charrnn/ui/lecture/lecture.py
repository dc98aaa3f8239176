"""Lecture mode: scenes beside a page whose link may hide controls and tabs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr
from anyio.to_thread import run_sync

from charrnn.ranges import Range
from charrnn.ui.lecture.answer import Answer
from charrnn.ui.lecture.scenes import SCENES, available_networks
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.malloc_trim import MEMORY_USE
from charrnn.ui.server.page_messages import error_sentence
from charrnn.ui.server.request_parameters import count_of
from charrnn.ui.server.share_link import HIDEABLE, ShareLink, parse_link
from charrnn.ui.server.streaming import ANALYSIS, QUIET
from charrnn.ui.sidebar.sidebar import describe_models


def open_link(store: Store, sent: Mapping[str, str]) -> ShareLink:
    """Merge the parameters of a link with those of its scene."""
    link = parse_link(store, sent, len(SCENES))
    number = link.query.scene if link.query.lecture else None
    if number is None:
        return link
    return parse_link(store, {**SCENES[number - 1].sets, **sent}, len(SCENES))


def initial_value(store: Store, link: ShareLink) -> str:
    """Return the first value of the view: a scene, or 0, and the list of scenes."""
    hidden = [HIDEABLE[name] for name in link.query.hide or ()]
    lecture = bool(link.query.lecture)
    return _encode(link.query.scene or 0 if lecture else 0, lecture=lecture, hide=hidden, scenes=list_of_scenes(store))


def list_of_scenes(store: Store) -> list[dict[str, Any]]:
    """Return the question, the planned minutes and the missing networks of each scene."""
    available = available_networks(store)
    return [
        {"question": scene.question, "minutes": scene.minutes, "missing": scene.missing(available)} for scene in SCENES
    ]


def scene_messages(store: Store) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each scene as its message, before and after its answer is revealed."""
    for number, listed in enumerate(list_of_scenes(store), start=1):
        answer = SCENES[number - 1].measured_answer(store)
        yield json.loads(_encode(number)) | listed, json.loads(_encode(number, answer))


def register_events(store: Store, controls: gr.HTML, lecture: gr.HTML) -> None:
    """Register the events `scene` and `reveal`, which carry a scene number from 1."""

    async def scene(event: gr.EventData) -> Any:
        sent = count_of("sent", event._data)
        try:
            number = _number(event._data)
            link = await run_sync(SCENES[number - 1].link, store)
        except ValueError as error:
            return _encode(0, Answer(error_sentence(error)), count=sent), gr.skip()
        return _encode(number, count=sent), describe_models(store, link.loaded, link, scene=number)

    async def reveal(event: gr.EventData) -> Any:
        sent = count_of("sent", event._data)
        try:
            number = _number(event._data)
            with MEMORY_USE.block():
                return _encode(number, await run_sync(SCENES[number - 1].measured_answer, store), count=sent)
        except ValueError as error:
            return _encode(0, Answer(error_sentence(error)), count=sent)

    def failed() -> str:
        return _encode(0, Answer("The server could not answer: try again, or reload the page."))

    lecture.scene(scene, None, [lecture, controls], **QUIET)
    lecture.reveal(reveal, None, lecture, **ANALYSIS).failure(failed, None, lecture, **QUIET)


def _number(data: Any) -> int:
    return Range(1, len(SCENES), whole=True).require("scene", data.get("scene") if isinstance(data, Mapping) else None)


def _encode(number: int, answer: Answer | None = None, **more: Any) -> str:
    """Encode a scene, with its answer if revealed; 0 for none."""
    shown: dict[str, Any] = {"at": number, **more}
    if number:
        scene = SCENES[number - 1]
        shown |= {name: getattr(scene, name) for name in ("question", "minutes", "guess", "choices", "variation")}
        shown["pictures"] = scene.shown_pictures()
    if answer is not None:
        shown["answer"] = asdict(answer)
    return json.dumps(shown, ensure_ascii=False).replace("<", "\\u003c")
