"""What the server tells the page, without a page."""

import asyncio
import base64
import json
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.ui.messages import (
    Columns,
    characters_per_message,
    columns_part,
    dropped_notice,
    message,
    message_seconds,
    messages_per_second,
    notice,
    quantised,
)
from charrnn.ui.row_order import by_activity, by_similarity
from charrnn.ui.wishes import LARGEST_SEED, Manner, Wishes, sampling, whole

ROOT = Path(__file__).resolve().parents[1]


def test_states_come_back_within_half_a_step_of_int8():
    states = np.random.default_rng(0).uniform(-1, 1, (50, 7)).astype(np.float32)
    assert np.abs(quantised(states) / 127 - states).max() <= 0.5 / 127 + 1e-6


def test_states_outside_of_the_scale_are_clipped():
    assert quantised(np.array([-3.0, -1.0, 0.0, 1.0, 3.0])).tolist() == [-127, -127, 0, 127, 127]


def test_a_part_carries_every_column_and_logit():
    states = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    logits = np.arange(8, dtype=np.float32).reshape(2, 4) / 3
    part = columns_part(5, Columns("é\n", states, logits, [None, 0.25]))
    assert part["from"] == 5 and part["text"] == "é\n" and part["draws"] == [None, 0.25]
    assert (
        np.frombuffer(base64.b64decode(part["columns"]), np.int8).reshape(2, 3).tolist() == quantised(states).tolist()
    )
    assert np.frombuffer(base64.b64decode(part["logits"]), "<f4").reshape(2, 4).tolist() == logits.tolist()


def test_two_messages_are_never_the_same():
    assert message("state", 1, 1, state="paused") != message("state", 2, 1, state="paused")
    assert json.loads(message("more", 3, 2, text="”"))["text"] == "”"


def test_a_message_never_looks_like_markup():
    sent = message("more", 1, 1, text="<script>")
    assert "<" not in sent and json.loads(sent)["text"] == "<script>"


@pytest.mark.parametrize(("writers", "expected"), [(0, 20), (1, 20), (20, 20), (40, 10), (100, 5), (1000, 5)])
def test_messages_get_rarer_as_the_house_fills(writers: int, expected: float):
    assert messages_per_second(writers) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("writers", [1, 30, 100])
@pytest.mark.parametrize("speed", [1, 5, 20, 60, 120])
def test_the_asked_speed_is_kept_however_messages_are_packed(speed: float, writers: int):
    assert characters_per_message(speed, writers) / message_seconds(speed, writers) == pytest.approx(speed)
    assert 1 / message_seconds(speed, writers) <= messages_per_second(writers) * 1.51


def test_as_fast_as_it_goes_still_leaves_room_for_others():
    alone = characters_per_message(0, 1) / message_seconds(0, 1)
    assert alone >= 1000
    assert 100 * characters_per_message(0, 100) / message_seconds(0, 100) <= 7000


def test_a_notice_names_characters_and_positions():
    said = dropped_notice([(0, "é"), (4, "\t")])
    assert said == notice("Left out 2 characters this model has never seen: 'é' at position 0, '\\t' at position 4.")
    many = dropped_notice([(i, "ß") for i in range(9)])
    assert many is not None and "and 4 more" in many["text"]
    assert dropped_notice([]) is None


# ------------------------------------------------------------------ the order of the rows


def test_similar_units_stand_together():
    rng = np.random.default_rng(0)
    groups = rng.standard_normal((300, 4))
    members = np.repeat(np.arange(4), 8)
    states = groups[:, members] + 0.3 * rng.standard_normal((300, 32))
    shuffled = rng.permutation(32)
    order = by_similarity(states[:, shuffled])
    assert sorted(order) == list(range(32))
    in_order = members[shuffled[order]]
    assert (np.diff(in_order) != 0).sum() == 3  # four groups, three borders


def test_a_unit_that_never_moves_comes_last():
    states = np.random.default_rng(0).standard_normal((50, 5))
    states[:, 2] = 0.7
    assert by_similarity(states)[-1] == 2
    assert by_activity(states)[-1] == 2


def test_the_liveliest_unit_comes_first():
    states = np.array([[0.0, 0.0, 0.0], [0.1, 1.0, 0.5], [0.0, 0.0, 0.0]])
    assert by_activity(states) == [1, 2, 0]


# ------------------------------------------------------------------ what a page may ask for

PAGE = {
    "temperature": 0.8,
    "top_k": 0,
    "top_p": 1,
    "min_p": 0,
    "speed": 30,
    "prompt": "ROMEO:",
    "seed": 7,
    "characters": 100,
    "checkpoint": {"name": "rnn", "step": 2000},
}


def test_wishes_are_read_as_sent():
    wishes = Wishes.from_page(PAGE)
    assert (wishes.manner.settings.temperature, wishes.manner.speed, wishes.seed) == (0.8, 30, 7)
    assert (wishes.choice.name, wishes.choice.step) == ("rnn", 2000)
    assert Wishes.from_page(PAGE | {"checkpoint": None}).choice.name is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("temperature", -1),
        ("temperature", 2.5),
        ("temperature", 1e-9),
        ("temperature", "x"),
        ("temperature", True),
        ("temperature", float("nan")),
        ("top_k", -1),
        ("top_k", 1.5),
        ("top_k", float("inf")),
        ("top_p", 0),
        ("min_p", 2),
        ("seed", -1),
        ("seed", 1.5),
        ("seed", 2**53),  # a page cannot send it exactly
        ("seed", float("inf")),
        ("seed", ""),
        ("characters", 0),
        ("characters", 10**9),
        ("characters", None),
        ("characters", True),
        ("speed", 1e-9),
        ("speed", -1),
        ("speed", 10**9),
        ("speed", None),
        ("prompt", None),
        ("prompt", "a" * 1001),
        ("checkpoint", "rnn"),
        ("checkpoint", {"name": ["rnn"], "step": 0}),
        ("step", "rnn"),
    ],
)
def test_wishes_out_of_range_are_refused_in_one_line_that_names_them(name: str, wrong: Any):
    sent = {"checkpoint": {"name": "rnn", "step": wrong}} if name == "step" else {name: wrong}
    with pytest.raises(ValueError, match=rf"^[a-z ]*{name} is .*give .*\Z"):
        Wishes.from_page(PAGE | sent)


def test_missing_wishes_are_refused():
    for sent in ({}, None, [], "x"):
        with pytest.raises(ValueError, match="temperature"):
            Wishes.from_page(sent)


def test_a_slider_does_not_depend_on_the_seed_box():
    assert Manner.from_page(PAGE | {"seed": "", "characters": 0, "prompt": None}) == Manner.from_page(PAGE)


def test_whole_numbers_may_be_written_with_a_point():
    assert whole("seed", 7.0, 0, LARGEST_SEED) == 7
    assert whole("seed", LARGEST_SEED, 0, LARGEST_SEED) == 2**63 - 1
    assert sampling(0, 5.0, 1, 0).top_k == 5


# ------------------------------------------------------------------ a session, without a page


def run_in_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """In a thread of its own: a browser test may keep a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def collect(session, store, wishes, until=None) -> list[dict]:
    async def run() -> list[dict]:
        await session.begin(store, wishes)
        got = []
        async for text in session.writing(store):
            got.append(json.loads(text))
            if until and until(got):
                session.pause(0)
        return got

    return run_in_loop(run())


@pytest.fixture
def store():
    from charrnn.ui.store import Store

    return Store(ROOT / "checkpoints")


def test_no_character_is_lost_between_messages(store):
    from charrnn.ui.session import Session

    session = Session()
    wishes = Wishes.from_page(PAGE | {"speed": 0, "characters": 300, "checkpoint": None})
    got = collect(session, store, wishes)
    assert got[0]["kind"] == "start" and got[-1]["state"] == "finished"
    text = ""
    for part in got[:-1]:
        assert part["from"] == len(text)
        text += part["text"]
    assert text == session.text and session.written == 300
    assert not store.writers


def test_a_paused_session_goes_on_with_the_same_dice(store):
    from charrnn.ui.session import Session

    wishes = Wishes.from_page(PAGE | {"speed": 0, "characters": 300, "checkpoint": None})
    whole, halves = Session(), Session()
    collect(whole, store, wishes)
    collect(halves, store, wishes, until=lambda got: len(got) > 2)
    assert halves.state == "paused" and halves.written < 300

    async def rest() -> None:
        halves.prolong(wishes.manner)
        async for _ in halves.writing(store):
            pass

    run_in_loop(rest())
    assert halves.text == whole.text


def test_a_generator_that_is_dropped_frees_its_place(store):
    from charrnn.ui.session import Session

    session = Session()
    wishes = Wishes.from_page(PAGE | {"checkpoint": None})

    async def leave_at_once() -> None:
        await session.begin(store, wishes)
        generator = session.writing(store)
        await anext(generator)
        assert len(store.writers) == 1
        await generator.aclose()  # type: ignore[attr-defined]

    run_in_loop(leave_at_once())
    assert not store.writers and session.state == "paused"


def test_a_run_that_a_later_click_took_back_writes_nothing(store):
    from charrnn.ui.session import Session

    async def pause_overtakes_write() -> list[dict]:
        session = Session()
        session.pause(2)
        await session.begin(store, Wishes.from_page(PAGE | {"checkpoint": None}))
        return [json.loads(text) async for text in session.writing(store, click=1)]

    got = run_in_loop(pause_overtakes_write())
    assert [part["kind"] for part in got] == ["start", "state"]
    assert got[0]["text"] == PAGE["prompt"] and got[-1]["state"] == "paused"


def test_an_event_before_the_page_was_opened_says_to_reload(store):
    from charrnn.ui.session import Session

    session = Session()
    for event in (session.step, session.resend, lambda: session.clear(1)):
        with pytest.raises(ValueError, match="reload"):
            run_in_loop(event())
    with pytest.raises(ValueError, match="reload"):
        session.prolong(Manner.from_page(PAGE))


def test_a_model_changed_in_mid_text_keeps_its_notice_and_reads_the_text_once(store, monkeypatch):
    from charrnn.ui.session import Session
    from charrnn.ui.store import Reader
    from charrnn.ui.wishes import Choice

    session, read = Session(), []
    whole_read = Reader.read
    monkeypatch.setattr(Reader, "read", lambda reader, text: read.append(text) or whole_read(reader, text))

    async def change() -> list[dict]:
        assert store.reader().orders and store.reader("rnn", 0).orders  # they read the passage, once
        read.clear()
        await session.begin(store, Wishes.from_page(PAGE | {"prompt": "→A", "speed": 0, "checkpoint": None}))
        got = []
        async for text in session.writing(store):
            got.append(json.loads(text))
            if len(got) == 2:
                session.text += "é"  # a character the other model does not know
                assert await session.change_model(store, Choice("rnn", 0)) is None
        return got

    starts = [part for part in run_in_loop(change()) if part["kind"] == "start"]
    assert "'→' at position 0" in starts[0]["notice"]["text"] and "'é' at" in starts[1]["notice"]["text"]
    assert starts[1]["model"]["step"] == 0 and len(read) == 2
    assert "notice" not in json.loads(run_in_loop(session.resend()))  # what the page shows stays


def test_a_model_is_read_beside_the_event_loop(store, monkeypatch):
    import threading

    from charrnn.ui.session import Session
    from charrnn.ui.store import Reader
    from charrnn.ui.wishes import Choice

    threads, whole_read = set(), Reader.read

    def read(reader: Reader, text: str):
        threads.add(threading.get_ident())
        return whole_read(reader, text)

    async def change() -> int:
        session = Session()
        session.open(store)
        monkeypatch.setattr(Reader, "read", read)
        await session.change_model(store, Choice("rnn", 0))
        return threading.get_ident()

    assert run_in_loop(change()) not in threads and threads


def test_an_unusable_value_does_not_end_a_run():
    from charrnn.ui.session import Session

    session = Session()
    session.state = "writing"
    assert json.loads(session.trouble(ValueError("speed is 1")))["state"] == "writing"
