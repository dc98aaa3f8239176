"""The tab Write and the events of the left column: which button does what to the visitor's session."""

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from charrnn.ui.live_view.live_view import live_view
from charrnn.ui.session import Session, Wishes
from charrnn.ui.store import Store

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
LONG: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "trigger_mode": "multiple",
    "concurrency_limit": None,
    "concurrency_id": "writing",
}


def build(store: Store, state: gr.State, controls: gr.HTML) -> gr.HTML:
    """Lay out the tab and wire the buttons; the handlers run in the event loop, where a session has no rivals."""
    view = live_view()

    async def write(session: Session, event: gr.EventData) -> AsyncIterator[str]:
        try:
            wishes = Wishes.from_page(event._data)
            said = session.begin(store, wishes)
        except ValueError as error:
            yield session.trouble(error)
            return
        async for message in session.writing(store, fresh=True, said=said):
            yield message

    async def resume(session: Session, event: gr.EventData) -> AsyncIterator[str]:
        try:
            session.prolong(Wishes.from_page(event._data))
        except ValueError as error:
            yield session.trouble(error)
            return
        async for message in session.writing(store, fresh=False):
            yield message

    async def step(session: Session, event: gr.EventData) -> str:
        try:
            return session.step(store, Wishes.from_page(event._data))
        except ValueError as error:
            return session.trouble(error)

    async def pause(session: Session) -> None:
        session.pause()

    async def stop(session: Session) -> None:
        session.stop()

    async def clear(session: Session) -> str:
        return session.clear()

    async def settings(session: Session, event: gr.EventData) -> None:
        try:
            session.listen(Wishes.from_page(event._data))
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from error

    async def resend(session: Session) -> Any:
        return session.resend() or gr.skip()

    async def failed(session: Session) -> str:
        return session.told()

    controls.write(write, state, view, **LONG).failure(failed, state, view, **QUIET)
    controls.resume(resume, state, view, **LONG).failure(failed, state, view, **QUIET)
    controls.step(step, state, view, trigger_mode="multiple", **QUIET)
    controls.pause(pause, state, None, trigger_mode="multiple", **QUIET)
    controls.stop(stop, state, None, trigger_mode="multiple", **QUIET)
    controls.clear(clear, state, view, trigger_mode="multiple", **QUIET)
    controls.settings(settings, state, None, trigger_mode="always_last", **QUIET)
    view.resend(resend, state, view, trigger_mode="once", **QUIET)
    return view
