"""One visitor's session, without a page."""

import asyncio
import base64
import json
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.sampling import Dice, SamplingSettings, generate
from charrnn.ui.draft import Draft
from charrnn.ui.reader import Reader
from charrnn.ui.session import Session
from charrnn.ui.store import Store
from charrnn.ui.telling import AT_ONCE
from charrnn.ui.wishes import Choice, Manner, Wishes
from tests.small_models import SMALL, VOCAB, save_all, save_small

ROOT = Path(__file__).resolve().parents[1]

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


def test_no_character_is_lost_between_messages(store):
    session = Session()
    wishes = Wishes.from_page(PAGE | {"speed": 0, "characters": 300, "checkpoint": None})
    got = collect(session, store, wishes)
    assert got[0]["kind"] == "start" and got[-1]["state"] == "finished"
    text = ""
    for part in got[:-1]:
        assert part["from"] == len(text)
        text += part["text"]
    assert text == session.text and session.written == 300
    assert not store.house


def test_a_paused_session_goes_on_with_the_same_dice(store):
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
    session = Session()
    wishes = Wishes.from_page(PAGE | {"checkpoint": None})

    async def leave_at_once() -> None:
        await session.begin(store, wishes)
        generator = session.writing(store)
        await anext(generator)
        assert len(store.house) == 1
        await generator.aclose()  # type: ignore[attr-defined]

    run_in_loop(leave_at_once())
    assert not store.house and session.state == "paused"


def test_a_run_that_a_later_click_took_back_writes_nothing(store):
    async def pause_overtakes_write() -> list[dict]:
        session = Session()
        session.pause(2)
        await session.begin(store, Wishes.from_page(PAGE | {"checkpoint": None}))
        return [json.loads(text) async for text in session.writing(store, click=1)]

    got = run_in_loop(pause_overtakes_write())
    assert [part["kind"] for part in got] == ["start", "state"]
    assert got[0]["text"] == PAGE["prompt"] and got[-1]["state"] == "paused"


def test_an_event_before_the_page_was_opened_says_to_reload(store):
    session = Session()
    for event in (session.step, session.resend, lambda: session.clear(1)):
        with pytest.raises(ValueError, match="reload"):
            run_in_loop(event())
    with pytest.raises(ValueError, match="reload"):
        session.prolong(Manner.from_page(PAGE))


def test_a_model_changed_in_mid_text_keeps_its_notice_and_reads_the_text_once(store, monkeypatch):
    session, read = Session(), []
    whole_read = Reader.read
    monkeypatch.setattr(Reader, "read", lambda reader, *what: read.append(what) or whole_read(reader, *what))

    async def change() -> list[dict]:
        assert store.reader().display("h") and store.reader("rnn", 0).display("h")  # they read the passage, once
        read.clear()
        await session.begin(store, Wishes.from_page(PAGE | {"prompt": "→A", "speed": 0, "checkpoint": None}))
        got = []
        async for text in session.writing(store):
            got.append(json.loads(text))
            if len(got) == 2:
                session.draft.text += "é"  # a character the other model does not know
                assert await session.change_model(store, Choice("rnn", 0)) is None
        return got

    starts = [part for part in run_in_loop(change()) if part["kind"] == "start"]
    assert "'→' at position 0" in starts[0]["notice"]["text"] and "'é' at" in starts[1]["notice"]["text"]
    assert starts[1]["model"]["step"] == 0 and len(read) == 2
    assert "notice" not in json.loads(run_in_loop(session.resend()))  # what the page shows stays


def test_a_model_is_read_beside_the_event_loop(store, monkeypatch):
    threads, whole_read = set(), Reader.read

    def read(reader: Reader, text: str, name: str):
        threads.add(threading.get_ident())
        return whole_read(reader, text, name)

    async def change() -> int:
        session = Session()
        session.open(store)
        monkeypatch.setattr(Reader, "read", read)
        await session.change_model(store, Choice("rnn", 0))
        return threading.get_ident()

    assert run_in_loop(change()) not in threads and threads


def test_an_unusable_value_does_not_end_a_run():
    session = Session()
    session.state = "writing"
    assert json.loads(session.trouble(ValueError("speed is 1")))["state"] == "writing"


# ------------------------------------------------------------------ every model


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Networks of every kind."""
    return Store(save_all(tmp_path_factory.mktemp("small")))


def values_of(part: dict) -> np.ndarray:
    """The columns of a start message, (T, rows)."""
    return np.frombuffer(base64.b64decode(part["columns"]), "<f2").reshape(len(part["text"]), part["view"]["rows"])


def stepped(reader: Reader, text: str, name: str) -> np.ndarray:
    """What stepping through a text shows under a name, (T, rows)."""
    reading, rows = reader.decoder.prefill([]), []
    for id in reader.vocab.encode(text):
        reading = reader.decoder.step(id, reading.state)
        rows.append(reading.activations[name])
    return np.stack(rows)


def starts_of(session: Session, store: Store, wishes: Wishes, *events) -> list[dict]:
    """Write, let each event happen while text is being written, and give the start messages."""

    async def run() -> list[dict]:
        await session.begin(store, wishes)
        got, waiting = [], list(events)
        async for text in session.writing(store):
            got.append(json.loads(text))
            if got[-1]["kind"] == "more" and waiting:
                assert await waiting.pop(0)() is None  # the running generator tells it
        return got

    return [part for part in run_in_loop(run()) if part["kind"] == "start"]


def test_models_switched_while_text_is_written_lose_nothing(small: Store):
    session = Session()
    wishes = Wishes.from_page(PAGE | {"speed": 120, "checkpoint": None})
    starts = starts_of(
        session,
        small,
        wishes,
        *(partial(session.change_model, small, Choice(name, 40)) for name in ("lstm", "gru", "minigpt")),
    )
    assert [part["model"]["name"] for part in starts] == ["rnn", "lstm", "gru", "minigpt"]
    assert [part["view"]["name"] for part in starts] == ["h", "h", "h", "layer 6"]
    assert session.written == 100 and session.state == "finished"
    for part in starts:
        assert session.text.startswith(part["text"])
        reader = small.reader(part["model"]["name"])
        assert part["view"]["rows"] == SMALL[part["model"]["name"]]["hidden_dim"]
        expected = stepped(reader, part["text"], part["view"]["name"])
        np.testing.assert_allclose(values_of(part), expected, rtol=1e-3, atol=1e-4)


def test_every_view_of_every_model_is_what_its_decoder_says(small: Store):
    async def look() -> None:
        session = Session()
        await session.begin(small, Wishes.from_page(PAGE | {"prompt": "To be, or not to be", "checkpoint": None}))
        await session.show()
        session.state = "paused"
        for name in SMALL:
            await session.change_model(small, Choice(name, 40))
            reader = small.reader(name)
            for view in reader.names:
                part = json.loads(await session.change_view(view) or "")
                assert part["view"]["name"] == view and part["model"]["views"] == list(reader.names)
                expected = stepped(reader, session.text, view)
                np.testing.assert_allclose(values_of(part), expected, rtol=1e-3, atol=1e-4)

    run_in_loop(look())


def test_a_view_changed_while_text_is_written_changes_no_character(small: Store):
    for name in ("lstm", "minigpt"):
        session, reader = Session(), small.reader(name)
        wishes = Wishes.from_page(PAGE | {"speed": 120, "checkpoint": {"name": name, "step": 40}})
        views = [reader.names[1], reader.names[-1]]
        starts = starts_of(session, small, wishes, *(partial(session.change_view, view) for view in views))
        assert [part["view"]["name"] for part in starts] == [reader.names[0], *views]
        beginning = reader.decoder.prefill(reader.vocab.encode(PAGE["prompt"]))
        steps = generate(reader.decoder, beginning, 100, SamplingSettings(0.8), Dice(7))
        assert session.text == PAGE["prompt"] + reader.vocab.decode([step.id for step in steps])


def test_a_view_that_is_asked_for_comes_back_with_a_model_that_has_it(small: Store):
    async def through() -> list[str]:
        session, shown = Session(), []
        await session.begin(small, Wishes.from_page(PAGE | {"checkpoint": {"name": "lstm", "step": 40}}))
        session.state = "paused"
        await session.change_view("c")
        for name in ("rnn", "gru", "minigpt", "lstm"):
            part = json.loads(await session.change_model(small, Choice(name, 40)) or "")
            shown.append(part["view"]["name"])
        return shown

    assert run_in_loop(through()) == ["h", "h", "layer 6", "c"]


def test_of_quick_choices_the_newest_stands_in_whatever_order_they_come(small: Store):
    session = Session()
    session.open(small)

    asked = [(name, session.clicks.newest("model", sent)) for name, sent in (("lstm", 1), ("minigpt", 3), ("gru", 2))]

    async def in_a_hurry() -> list[str | None]:
        return [await session.change_model(small, Choice(name, 40), wanted) for name, wanted in asked]

    answers = run_in_loop(in_a_hurry())
    assert [answer and json.loads(answer)["model"]["name"] for answer in answers] == [None, "minigpt", None]
    assert session.reader and session.reader.info.name == "minigpt"
    assert session.clicks.newest("settings", 1)()  # each event has its own numbers


def test_characters_another_model_does_not_know_are_left_out_of_its_text(tmp_path: Path):
    save_small(tmp_path / "rnn", SMALL["rnn"])
    few = VOCAB.characters.replace("R", "").replace("q", "")
    save_small(tmp_path / "gpt", SMALL["minigpt"], type(VOCAB)(few))
    store, session = Store(tmp_path), Session()

    async def switch() -> dict:
        await session.begin(store, Wishes.from_page(PAGE | {"prompt": "ROMEO: quiet", "checkpoint": None}))
        session.state = "paused"
        return json.loads(await session.change_model(store, Choice("gpt", 40)) or "")

    part = run_in_loop(switch())
    assert part["text"] == "OMEO: uiet" and part["prompt"] == 10
    assert "'R' at position 0, 'q' at position 7" in part["notice"]["text"]


def test_a_text_of_the_page_s_full_length_is_read_in_pieces(small: Store):
    text = "To be, or not to be: that is the question\n" * 40
    for name, view in (("lstm", "c"), ("minigpt", "layer 3")):
        reader = small.reader(name)
        trace = reader.read(text, view)
        np.testing.assert_allclose(trace.activations[view], stepped(reader, text, view), rtol=1e-3, atol=1e-4)
        assert list(trace.activations) == [view] and len(trace.logits) == len(text)


def test_much_that_is_written_at_once_is_written_beside_the_event_loop(small: Store, monkeypatch: pytest.MonkeyPatch):
    threads: dict[int, set[int]] = {}
    whole_write = Draft.write

    def write(draft: Draft, reader: Reader, settings: SamplingSettings, n: int):
        threads.setdefault(n, set()).add(threading.get_ident())
        return whole_write(draft, reader, settings, n)

    monkeypatch.setattr(Draft, "write", write)

    async def run() -> int:
        session = Session()
        await session.begin(small, Wishes.from_page(PAGE | {"speed": 0, "checkpoint": None}))
        async for _ in session.writing(small):
            pass
        await session.step()
        return threading.get_ident()

    loop = run_in_loop(run())
    assert threads[1] == {loop} and max(threads) > AT_ONCE
    assert all(loop not in where for n, where in threads.items() if n > AT_ONCE)


def test_a_step_into_an_empty_page_brings_prompt_and_character(small: Store):
    session = Session()

    async def step() -> dict:
        await session.begin(small, Wishes.from_page(PAGE | {"checkpoint": {"name": "gru", "step": 40}}))
        return json.loads(await session.step())

    part = run_in_loop(step())
    assert part["kind"] == "start" and part["text"] == session.text and len(session.text) == len(PAGE["prompt"]) + 1
    assert part["instant"] == len(PAGE["prompt"])
    np.testing.assert_allclose(values_of(part), stepped(small.reader("gru"), session.text, "h"), rtol=1e-3, atol=1e-4)
