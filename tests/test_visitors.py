"""Many visitors, played without a browser: what each gets, and what the app keeps of those who have left."""

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from charrnn import ui
from charrnn.ui import house as rooms
from charrnn.ui import presence, spare_memory
from charrnn.ui import store as room
from charrnn.ui.house import MOST_CALLED, MOST_CALLING, House
from charrnn.ui.lecture_view import lecture_view
from charrnn.ui.scene_answers import Answer
from charrnn.ui.scenes import SCENES
from charrnn.ui.store import Store
from scripts.bench_page import resident_bytes
from scripts.visitor import SETTINGS, Door, Visitor

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
            assert await until(lambda: not store.house)
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


def test_a_page_whose_connection_broke_keeps_its_text_as_long_as_it_is_used(house, monkeypatch: pytest.MonkeyPatch):
    demo, _, address = house
    monkeypatch.setattr(presence, "MOST_CLOSED", 2)
    monkeypatch.setattr(presence, "MOMENT", timedelta(0))
    sessions = demo.state_holder.session_data

    async def go_and_come_back() -> tuple[list[dict], list[str]]:
        async with Door.open(address) as door:
            async with arrived(door) as stays:
                [_ async for _ in stays.writing(speed=0, characters=5)]
            assert await until(lambda: sessions[stays.name].is_closed)
            await stays.send("stop")
            names = []
            for _ in range(3):
                async with arrived(door) as other:
                    names.append(other.name)
                assert await until(lambda: sessions[names[-1]].is_closed)
            assert await until(lambda: names[0] not in sessions)
            return [json.loads(each) async for each in stays.values("resume", SETTINGS | {"speed": 0})], names

    told, names = asyncio.run(go_and_come_back())
    assert "".join(each["text"] for each in told if each["kind"] == "more") and told[-1]["state"] == "finished"
    assert not any("notice" in each for each in told)
    assert [name in sessions for name in names] == [False, True, True]


def test_a_page_that_came_back_is_forgotten_when_it_has_been_silent_for_long(monkeypatch: pytest.MonkeyPatch):
    now = [datetime(2026, 1, 1)]
    monkeypatch.setattr(presence, "MOST_CLOSED", 1)
    monkeypatch.setattr(presence, "datetime", SimpleNamespace(now=lambda: now[0]))
    holder = SimpleNamespace(session_data={}, time_last_used={})
    queue = SimpleNamespace(pending_messages_per_session={}, pending_event_ids_session={})
    demo: Any = SimpleNamespace(state_holder=holder, _queue=queue)
    here = presence.Presence()

    def close(name: str, used_after_s: float = 0.0) -> set[str]:
        holder.session_data[name] = name
        here.gone(name, demo)
        holder.time_last_used[name] = now[0] + timedelta(seconds=used_after_s)
        now[0] += timedelta(minutes=20)
        return {*holder.session_data}

    assert [close("back", 60), close("at its end", 1)] == [{"back"}, {"back", "at its end"}]
    assert [close("c"), close("d")] == [{"back", "c"}, {"back", "d"}]
    assert [close("e"), *holder.time_last_used] == [{"e"}, "e"]


def test_who_writes_waits_for_nobody_who_measures_loads_or_asks_the_hub(house, monkeypatch: pytest.MonkeyPatch):
    """While 60 visitors wait for what does not come, one arrives and writes; then each is told, what was done once."""
    _, store, address = house
    free, done = Event(), []

    def stuck(name: str, result: Any) -> Callable[..., Any]:
        def work(*given: Any) -> Any:
            done.append(name)
            assert free.wait(60)
            return result(*given)

        return work

    scenes = [replace(scene, answer=Answering(i, stuck(f"scene {i}", told_of(i)))) for i, scene in enumerate(SCENES)]
    reader = store.reader()
    store._readers = OrderedDict({key: value for key, value in store._readers.items() if value is reader})
    monkeypatch.setattr(lecture_view, "SCENES", scenes)
    monkeypatch.setattr(store, "refresh", stuck("refresh", lambda: "Nothing newer."))
    monkeypatch.setattr(room, "load", stuck("load", room.load))
    wishes = [("refresh", {}), ("reveal", {"scene": 4})] * 18 + [("reveal", {"scene": n}) for n in range(1, 10)]
    wishes += [("model", {"checkpoint": {"name": "lstm", "step": 2000}, "sent": n}) for n in range(15)]

    async def all_of_them() -> tuple[list[list[Any]], list[dict]]:
        async with Door.open(address) as door:
            stuck_ones = [asyncio.create_task(Visitor(door).send(*wish)) for wish in wishes]
            try:
                assert await until(lambda: {"refresh", "load"} <= {*done} and len(store.desks.line) == 5)
                async with asyncio.timeout(20), arrived(door) as other:
                    told = [message async for message in other.writing(speed=0, characters=300)]
                assert [task.result() for task in stuck_ones if task.done()] == []
            finally:
                free.set()
            return await asyncio.gather(*stuck_ones), told

    answers, told = asyncio.run(all_of_them())
    assert "".join(each["text"] for each in told if each["kind"] == "more")[-1:] and told[-1]["state"] == "finished"
    assert sorted({*done}) == ["load", "refresh", *(f"scene {i}" for i in range(9))]
    assert len([each for each in done if each != "load"]) == 10
    assert {json.loads(value)["said"] for value, *_ in answers[:36:2]} == {"Nothing newer."}
    revealed = [json.loads(value)["answer"]["words"] for value, *_ in (*answers[1:36:2], *answers[36:45])]
    assert revealed == ["Answer 3"] * 18 + [f"Answer {i}" for i in range(9)]
    assert not store.desks.inside and not store.desks.line


class Answering:
    """The answer of a scene, for the cache to tell from others."""

    def __init__(self, number: int, answer: Callable[..., Answer]):
        self.number, self.answer = number, answer

    def __call__(self, *given: Any) -> Answer:
        return self.answer(*given)

    def cache_key(self) -> int:
        return self.number


def told_of(number: int) -> Callable[..., Answer]:
    return lambda *_: Answer(f"Answer {number}")


def test_a_question_and_a_call_wait_for_their_turn_and_are_refused_where_too_many_wait(house):
    _, store, address = house
    question = {"number": 4, "width": 900, "checkpoint": {"name": "rnn", "step": 2000}}
    call = {"data": ["ROMEO:", "rnn", 20, 0.8, 0, 1, 0, 7, -1]}

    async def written(door: Door) -> list[str]:
        event = (await door.client.post("gradio_api/call/write", json=call)).json()["event_id"]
        told = await door.client.get(f"gradio_api/call/write/{event}")
        return [line for line in told.text.splitlines() if line]

    async def all_at_once() -> tuple[list[dict], list[dict], list[list[str]]]:
        async with Door.open(address) as door, Visitor(door) as one, Visitor(door) as other:
            first, second = [], []

            async def ask() -> None:
                async for value in one.values("ask", question):
                    first.append(json.loads(value))

            asking, calling = asyncio.create_task(ask()), asyncio.create_task(written(door))
            assert await until(lambda: len(first) == len(store.counter.line) == 1)
            second = [json.loads(value) async for value in other.values("ask", question)]
            calls = [await written(door)]
            store.desks.places = store.counter.places = 1
            await asking
            return first, second, [*calls, await calling]

    desks = store.desks
    store.desks = House(0, 1)
    store.counter.places, store.counter.room = 0, 1
    try:
        first, second, (refused, wrote) = asyncio.run(all_at_once())
    finally:
        store.counter.places, store.counter.room = MOST_CALLED, MOST_CALLING
        store.desks = desks
    busy = "The lab is busy: 1 wait for one of 0 places. Try again in a minute"
    assert (first[0]["number"], first[0]["words"], first[0]["busy"]) == (4, "The lab is busy: you are next.", True)
    assert first[-1]["light"] and "of the gradient is left" in first[-1]["words"]
    assert [value["words"] for value in second] == [f"{busy}."]
    assert refused[0] == "event: error" and json.loads(refused[1].removeprefix("data: "))["error"] == busy
    assert wrote[0] == "event: complete" and json.loads(wrote[1].removeprefix("data: "))[0].startswith("ROMEO:")
    assert not store.counter.inside and not store.counter.line


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell a process's memory")
def test_what_a_measurement_used_goes_back_to_the_system():
    """Small blocks below one that stays: the C library keeps them until it is asked."""
    blocks = [bytearray(64_000) for _ in range(2000)]  # 128 MB, each too small for a mapping of its own
    stays = blocks[-1]
    used = resident_bytes(os.getpid()) or 0
    del blocks
    spare_memory.give_back()
    assert used - (resident_bytes(os.getpid()) or 0) > 100e6 and len(stays) == 64_000


def test_whichever_way_the_last_visitor_leaves_memory_is_given_back(house, monkeypatch: pytest.MonkeyPatch):
    _, store, address = house
    given = list[int]()
    monkeypatch.setattr(rooms, "give_back_aside", lambda: given.append(1))
    scene = replace(SCENES[0], answer=told_of(0))
    monkeypatch.setattr(lecture_view, "SCENES", [scene])

    async def by_every_door() -> list[int]:
        counts = []
        async with Door.open(address) as door, arrived(door) as visitor:
            for way in ("ask", "reveal", "write", "call"):
                if way == "call":
                    sent = {"data": ["ROMEO:", "rnn", 5, 0.8, 0, 1, 0, 7, -1]}
                    event = (await door.client.post("gradio_api/call/write", json=sent)).json()["event_id"]
                    await door.client.get(f"gradio_api/call/write/{event}")
                elif way == "write":
                    _ = [message async for message in visitor.writing(speed=0, characters=20)]
                elif way == "ask":
                    question = {
                        "number": 1,
                        "width": 900,
                        "names": ["rnn"],
                        "form": {"text": "What say you to it? " * 10},
                    }
                    _ = [value async for value in visitor.values("ask", question)]
                else:
                    await visitor.send("reveal", {"scene": 1})
                assert await until(lambda: not (store.desks.inside or store.counter.inside or store.house.inside))
                counts.append(len(given))
        return counts

    counts = asyncio.run(by_every_door())
    assert 0 < counts[0] < counts[1] < counts[2] < counts[3], counts
