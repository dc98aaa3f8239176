"""The tab Write and the events of the left column: which button does what to the visitor's session."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import gradio as gr

from charrnn.ui.live_view.live_view import live_view
from charrnn.ui.session import Session, UnwantedError
from charrnn.ui.store import Store
from charrnn.ui.wishes import Choice, Manner, Passage, Rewrite, Wishes, click_of, count_of, view_of

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
        async def begin() -> None:
            await session.begin(store, Wishes.from_page(event._data))

        async for message in _writing(store, session, event, begin):
            yield message

    async def resume(session: Session, event: gr.EventData) -> AsyncIterator[str]:
        async def prolong() -> None:
            session.prolong(Manner.from_page(event._data))

        async for message in _writing(store, session, event, prolong):
            yield message

    async def branch(session: Session, event: gr.EventData) -> AsyncIterator[str]:
        async def rewrite() -> str:
            return await session.rewrite(Rewrite.from_page(event._data))

        async for message in _writing(store, session, event, rewrite):
            yield message

    async def again(session: Session, event: gr.EventData) -> AsyncIterator[str]:
        wanted = session.clicks.newest("model", count_of("sent", event._data))

        async def begin() -> None:
            session.listen(Manner.from_page(event._data))
            await session.write_again(store, Choice.from_page(event._data), wanted)

        async for message in _writing(store, session, event, begin):
            yield message

    async def read(session: Session, event: gr.EventData) -> str:
        try:
            return await session.read(Passage.from_page(event._data))
        except ValueError as error:
            return session.trouble(error)

    async def undo(session: Session, event: gr.EventData) -> str:
        try:
            return await session.undo(click_of(event._data))
        except ValueError as error:
            return session.trouble(error)

    async def redo(session: Session, event: gr.EventData) -> str:
        try:
            return await session.redo(click_of(event._data))
        except ValueError as error:
            return session.trouble(error)

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
            if session.clicks.newest("settings", count_of("sent", event._data))():
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
            wanted = session.clicks.newest("show", count_of("sent", event._data))
            return await session.change_view(view_of(event._data), wanted) or gr.skip()
        except ValueError as error:
            return session.trouble(error)

    async def failed(session: Session) -> str:
        return session.told()

    controls.write(write, state, view, **LONG).failure(failed, state, view, **QUIET)
    controls.resume(resume, state, view, **LONG).failure(failed, state, view, **QUIET)
    controls.again(again, state, view, **LONG).failure(failed, state, view, **QUIET)
    controls.read(read, state, view, **EACH)
    view.branch(branch, state, view, **LONG).failure(failed, state, view, **QUIET)
    view.undo(undo, state, view, **EACH)
    view.redo(redo, state, view, **EACH)
    controls.step(step, state, view, **EACH)
    controls.pause(pause, state, None, **EACH)
    controls.stop(stop, state, None, **EACH)
    controls.clear(clear, state, view, **EACH)
    controls.settings(settings, state, view, **EACH)
    view.show(show, state, view, **EACH)
    view.resend(resend, state, view, trigger_mode="once", **QUIET)
    return view


async def _writing(
    store: Store, session: Session, event: gr.EventData, begin: Callable[[], Awaitable[str | None]]
) -> AsyncIterator[str]:
    """The messages of a run that `begin` sets going, unless a later click took it back; what it says comes first."""
    click = click_of(event._data)
    if session.clicks.overtook(click):
        yield session.told()
        return
    try:
        first = await begin()
    except ValueError as error:
        yield session.trouble(error)
        return
    except UnwantedError:
        yield session.told()
        return
    if first is not None:
        yield first
    async for message in session.writing(store, click):
        yield message
