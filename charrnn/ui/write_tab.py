"""The tab Write and the events of the left column: which button does what to the visitor's session."""

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from charrnn.ui.live_view.live_view import live_view
from charrnn.ui.session import Session
from charrnn.ui.store import Store
from charrnn.ui.wishes import Manner, Wishes, click_of, count_of, view_of

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
EACH: dict[str, Any] = QUIET | {"trigger_mode": "multiple"}  # "always_last" would send the first one's data again
LONG: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "trigger_mode": "multiple",
    "concurrency_limit": None,
    "concurrency_id": "writing",
}


def build(store: Store, state: gr.State, controls: gr.HTML) -> gr.HTML:
    """Lay out the tab and wire the buttons; the handlers run in the event loop, where nothing else moves a session."""
    view = live_view()

    async def write(session: Session, event: gr.EventData) -> AsyncIterator[str]:
        click = click_of(event._data)
        if session.is_overtaken(click):
            yield session.told()
            return
        try:
            await session.begin(store, Wishes.from_page(event._data))
        except ValueError as error:
            yield session.trouble(error)
            return
        async for message in session.writing(store, click):
            yield message

    async def resume(session: Session, event: gr.EventData) -> AsyncIterator[str]:
        click = click_of(event._data)
        if session.is_overtaken(click):
            yield session.told()
            return
        try:
            session.prolong(Manner.from_page(event._data))
        except ValueError as error:
            yield session.trouble(error)
            return
        async for message in session.writing(store, click):
            yield message

    async def step(session: Session, event: gr.EventData) -> str:
        try:
            if session.state == "empty":
                await session.begin(store, Wishes.from_page(event._data))
            else:
                session.listen(Manner.from_page(event._data))
            return await session.step()
        except ValueError as error:
            return session.trouble(error)

    async def pause(session: Session, event: gr.EventData) -> None:
        session.pause(click_of(event._data))

    async def stop(session: Session, event: gr.EventData) -> None:
        session.stop(click_of(event._data))

    async def clear(session: Session, event: gr.EventData) -> str:
        try:
            return await session.clear(click_of(event._data))
        except ValueError as error:
            return session.trouble(error)

    async def settings(session: Session, event: gr.EventData) -> Any:
        try:
            if session.newest("settings", count_of("sent", event._data))():
                session.listen(Manner.from_page(event._data))
        except ValueError as error:
            return session.trouble(error)
        return gr.skip()

    async def resend(session: Session) -> Any:
        try:
            return await session.resend() or gr.skip()
        except ValueError as error:
            return session.trouble(error)

    async def show(session: Session, event: gr.EventData) -> Any:
        try:
            wanted = session.newest("show", count_of("sent", event._data))
            return await session.change_view(view_of(event._data), wanted) or gr.skip()
        except ValueError as error:
            return session.trouble(error)

    async def failed(session: Session) -> str:
        return session.told()

    controls.write(write, state, view, **LONG).failure(failed, state, view, **QUIET)
    controls.resume(resume, state, view, **LONG).failure(failed, state, view, **QUIET)
    controls.step(step, state, view, **EACH)
    controls.pause(pause, state, None, **EACH)
    controls.stop(stop, state, None, **EACH)
    controls.clear(clear, state, view, **EACH)
    controls.settings(settings, state, view, **EACH)
    view.show(show, state, view, **EACH)
    view.resend(resend, state, view, trigger_mode="once", **QUIET)
    return view
