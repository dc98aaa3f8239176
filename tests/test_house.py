"""A full house: who waits, for how long, what they are told, and that nobody is starved by one in a hurry."""

import asyncio
import json
from pathlib import Path

import pytest

from charrnn.ui import house as rooms
from charrnn.ui.house import BusyError, House
from charrnn.ui.session import Session
from charrnn.ui.store import Store
from charrnn.ui.wishes import Choice, Wishes
from tests.test_session import PAGE, run_in_loop

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the house sees, to be set."""
    now = [100.0]
    monkeypatch.setattr(rooms.time, "monotonic", lambda: now[0])
    return now


def test_whoever_comes_first_goes_in_first_and_the_rest_see_how_many_are_ahead():
    house = House(places=2, room=3)
    assert [house.ahead(who) for who in "abcde"] == [None, None, 0, 1, 2]
    with pytest.raises(BusyError, match="The lab is busy: 3 wait for one of 2 places. Try again in a minute"):
        house.ahead("f")
    house.leave("d")
    house.leave("a")
    assert house.ahead("e") == 1  # the free place is for the one before
    assert house.ahead("c") is None
    assert [house.ahead("e"), house.ahead("f"), len(house)] == [0, 1, 2]


def test_a_place_is_held_for_a_turn_where_others_wait(clock: list[float]):
    house = House(places=2, room=3, turn_s=30)
    house.ahead("a")
    clock[0] += 20
    house.ahead("b")
    clock[0] += 20
    house.end_turn("a")
    assert house.ahead("a") is None  # nobody waits
    assert house.ahead("c") == 0
    house.end_turn("a")
    assert house.ahead("c") == 0  # not for one who has only just come
    clock[0] += 1
    house.end_turn("b")
    assert house.ahead("c") == 0  # b has not had its turn
    house.end_turn("a")
    house.end_turn("a")  # it has left already
    assert [house.ahead("a"), house.ahead("c"), house.ahead("a"), len(house)] == [1, None, 0, 2]


def test_who_is_in_a_hurry_rests_for_those_who_are_not():
    house = House(places=100)
    for who in range(3):
        house.ahead(who)
        house.hurry(who, 0)
    assert house.rest(1.0) == 0  # among themselves
    for who in range(3, 43):
        house.ahead(who)
        house.hurry(who, 20)
    together = rooms.HURRY * (1 - 40 / 100)
    assert 3 * 1.0 / (1.0 + house.rest(1.0)) == pytest.approx(together)
    house.hurry(0, 20)
    assert 2 * 1.0 / (1.0 + house.rest(1.0)) == pytest.approx(rooms.HURRY * (1 - 41 / 100))


def test_who_waits_is_told_and_goes_on_by_itself_and_no_text_is_lost():
    """Of three one has the only place; the second waits and changes its model; the third is told to come back."""
    store = Store(CHECKPOINTS)
    store.house = House(places=1, room=1)
    alone = Wishes.from_page(PAGE | {"speed": 0, "characters": 60, "prompt": "KING:"})
    long = Wishes.from_page(PAGE | {"speed": 0, "characters": 3000})

    async def three() -> tuple[Session, list[dict], Session, list[dict]]:
        first, second, third = Session(), Session(), Session()
        for session, wishes in ((first, long), (second, alone), (third, alone)):
            await session.begin(store, wishes)
        writing = first.writing(store)
        await anext(writing)
        got: list[dict] = []

        async def wait() -> None:
            async for told in second.writing(store):
                got.append(json.loads(told))

        waiting = asyncio.create_task(wait())
        while not any("ahead" in each for each in got):
            await asyncio.sleep(0.01)
        assert await second.change_model(store, Choice("gru", None)) is None
        refused = [json.loads(told) async for told in third.writing(store)]
        while [each["kind"] for each in got].count("start") < 2:
            await asyncio.sleep(0.01)
        await writing.aclose()  # type: ignore[attr-defined]
        await waiting
        return second, got, third, refused

    second, got, third, refused = run_in_loop(three())
    told = [each for each in got if "ahead" in each]
    assert {each["ahead"] for each in told} == {0} and {each["state"] for each in told} == {"writing"}
    assert told[0]["notice"]["text"].startswith("The lab is busy: you are next. Your text stays here")
    starts = [each["model"]["name"] for each in got if each["kind"] == "start"]
    assert starts == ["rnn", "gru"] and got[0]["text"] == "KING:"
    last_told = got.index(told[-1])
    assert {"notice": None}.items() <= got[last_told + 1].items()  # the line is over
    assert "KING:" + "".join(each["text"] for each in got if each["kind"] == "more") == second.text
    assert second.written == 60 and second.state == "finished"
    assert refused[0]["kind"] == "start" and refused[0]["text"] == "KING:"
    assert refused[-1]["notice"] == {
        "kind": "problem",
        "text": "The lab is busy: 1 wait for one of 1 places. Try again in a minute",
    }
    assert third.state == refused[-1]["state"] == "paused" and third.text == "KING:"
    assert not store.house.inside and not store.house.line


def test_who_pauses_or_leaves_while_waiting_is_out_of_the_line():
    store = Store(CHECKPOINTS)
    store.house = House(places=0, room=5)
    wishes = Wishes.from_page(PAGE)

    async def two() -> list[tuple[str, int]]:
        found = []
        for ends in (lambda session: session.pause(0), lambda session: session.leave()):
            session = Session()
            await session.begin(store, wishes)
            async for told in session.writing(store):
                if "ahead" in json.loads(told):
                    ends(session)
            found.append((session.state, session.written))
        return found

    assert run_in_loop(two()) == [("paused", 0), ("writing", 0)]
    assert not store.house.line


def test_turns_pass_among_those_who_write(monkeypatch: pytest.MonkeyPatch):
    """Four write long texts on two places: each gets its text, none of them before the last has begun."""
    monkeypatch.setattr(rooms, "PATIENCE_S", 0.05)
    monkeypatch.setattr(rooms, "GLANCE_S", 0.01)
    store = Store(CHECKPOINTS)
    store.house = House(places=2, room=4, turn_s=0.1)
    wishes = Wishes.from_page(PAGE | {"speed": 100, "characters": 40})
    order: list[int] = []

    async def all_of_them() -> list[str]:
        async def one(number: int) -> str:
            session = Session()
            await session.begin(store, wishes)
            async for told in session.writing(store):
                if json.loads(told)["kind"] == "more":
                    order.append(number)
                assert len(store.house) <= 2
            return session.text

        return await asyncio.gather(*map(one, range(4)))

    texts = run_in_loop(all_of_them())
    assert len(set(texts)) == 1 and len(texts[0]) == len("ROMEO:") + 40
    last = {number: len(order) - order[::-1].index(number) for number in range(4)}
    first = {number: order.index(number) for number in range(4)}
    assert max(first.values()) < min(last.values())
