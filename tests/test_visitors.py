"""Many visitors, played without a browser: what each gets, and what the app keeps of those who have left."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import gradio as gr
import pytest

from charrnn import ui
from charrnn.ui import presence
from charrnn.ui.store import Store
from scripts.visitor import Door, Visitor

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[gr.Blocks, Store, str]]:
    """The page served by this process: its blocks, its store, its address."""
    store = Store(CHECKPOINTS)

    async def opened() -> tuple[gr.Blocks, str]:
        demo = ui.build_demo(store)
        return demo, ui.serve(demo, "127.0.0.1", 0)

    demo, address = asyncio.run(opened())  # where no loop runs Gradio makes several, and closes none
    try:
        yield demo, store, address
    finally:
        demo.close()


async def until(holds: Callable[[], bool]) -> bool:
    """Whether this comes to hold within some seconds."""
    for _ in range(200):
        if holds():
            return True
        await asyncio.sleep(0.05)
    return False


@asynccontextmanager
async def arrived(door: Door) -> AsyncIterator[Visitor]:
    async with Visitor(door) as visitor:
        await visitor.arrive()
        yield visitor


def test_a_page_that_was_closed_is_forgotten(house, monkeypatch: pytest.MonkeyPatch):
    """Of those that are closed the newest two are kept here, in case they are back; nothing of the others."""
    demo, store, address = house
    monkeypatch.setattr(presence, "MOST_CLOSED", 2)
    queue, holder = demo._queue, demo.state_holder
    messages, events = queue.pending_messages_per_session, queue.pending_event_ids_session

    async def come_and_go() -> list[str]:
        names = []
        async with Door.open(address) as door, arrived(door) as stays:
            for in_mid_text in (False, True, False, True):
                async with arrived(door) as visitor:
                    async for message in visitor.writing(speed=60, characters=30 if not in_mid_text else 3000):
                        if in_mid_text and message["serial"] > 5:
                            break
                    names.append(visitor.name)
                assert await until(lambda name=names[-1]: holder.session_data[name].is_closed)
            assert await until(lambda: not store.writers)
            assert await until(lambda: not {*names[:2]} & {*holder.session_data})
            assert {stays.name, *names[2:]} <= {*holder.session_data}
            assert [message["kind"] async for message in stays.writing(speed=0, characters=2)] == [
                "start",
                "more",
                "state",
            ]
        return names

    names = asyncio.run(come_and_go())
    for each in (holder.session_data, holder.time_last_used, messages, events):
        assert not {*names[:2]} & {*each}
    assert not demo.server_app.iterators and not queue.event_ids_to_events
    assert len(queue.event_analytics) <= 1 and queue.cached_event_analytics_summary == {"functions": {}}
