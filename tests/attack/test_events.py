"""The page's own events under attack, all that `config` lists; and visitors who know nothing of each other."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.attack.attacked import MANNER, Attacked, Visitor

BAD = "\ud800\u202e\x00<script>"
FORM = {"text": BAD, "pattern": "(a+)+$", "unit": {}, "clamps": [1], "model": [], "answer": {"a": 1}, "lag": 10**30}
GARBAGE: list[Any] = [
    None, 1, "x", [], [[]], {}, float("nan"),
    {"sent": float("inf"), "click": -1, "number": [], "run": "a", "position": None, "view": 5},
    {"width": 900, "names": ["../..", "\0"], "form": {"x": float("inf")}},
    {"width": 900, "names": ["<script>"], "number": 10**30, "form": FORM},
    {"width": float("nan"), "checkpoint": {"name": "/etc/passwd", "step": 0}},
    {"width": 10**400, "checkpoint": {"name": "gru", "step": -1}, "form": [1]},
    {"width": 900, "form": {"text": 5, "unit": "h:99999", "clamps": "h:0:9e999"}, "names": ["gru"] * 65},
    MANNER | dict.fromkeys(("prompt", "passage", "view", "character", "scene"), BAD) | {"run": 0, "position": 0},
    MANNER | {"prompt": "a", "characters": 10**9, "edits": [[0, BAD]] * 600},
    MANNER | {"prompt": "a", "edits": [[0, "a"], [10**9, "b"], [True, "c"]], "position": -1, "character": "ab"},
    {"a": {"b": {"c": [[[[{"url": "/etc/passwd"}]]]]}}},
]  # fmt: skip


@pytest.fixture(scope="module")
def private(app: Attacked) -> dict[Visitor, str]:
    """Two visitors at their texts: from now on neither text may reach anyone else."""
    visitors = {Visitor(app): "Zyxwvut Qponm:", Visitor(app): "Jklmnopq Rst:"}
    texts = {}
    for (visitor, prompt), choice in zip(visitors.items(), ("rnn", "gru"), strict=True):
        visitor.loads()
        texts[visitor] = visitor.writes(prompt, checkpoint={"name": choice, "step": 40})
        assert texts[visitor].startswith(prompt) and len(texts[visitor]) == len(prompt) + 40
        app.private[visitor] = [prompt, texts[visitor][len(prompt) :], visitor.session]
    return texts


def test_garbage_in_any_event_neither_fails_nor_moves_another_visitor(app: Attacked, private, record_property):
    fired = 0
    for dependency, part, name in app.events:
        if name == "unload":
            continue
        never_loaded, loaded = Visitor(app), Visitor(app)
        loaded.loads()
        measures = app.modules.get(part) == "charrnn/hood_view/timing.js"  # for seconds, whatever else it is asked
        for sent in GARBAGE[: 3 if name == "failure" else None]:
            if measures and isinstance(sent, dict) and sent.get("width") == 900:
                continue
            for visitor in (never_loaded, loaded) if fired % 4 == 0 else (loaded,):
                told = visitor.fire(dependency, part, sent)
                assert not any(text.startswith("!") for text in told), (name, part, repr(sent)[:80], told)
            fired += 1
    record_property(
        "told", f"{fired} times garbage in {len(app.events)} events of the page, {app.answers} answers read"
    )
    assert {visitor: visitor.sees() for visitor in private} == private


def test_an_event_that_needs_no_queue_is_no_way_around_it(app: Attacked, private):
    for dependency, part, name in app.events:
        asked = {"data": [None], "event_data": GARBAGE[7], "fn_index": dependency["id"], "trigger_id": part}
        body = asked | {"session_hash": Visitor(app).session, "data": [None] * len(dependency["inputs"])}
        answer = app.post("gradio_api/run/predict", body)
        assert answer.status_code == (404 if dependency["queue"] else 200), (name, answer.text)


def test_two_visitors_at_once_see_their_own_texts_and_settings(app: Attacked, private):
    def work(visitor: Visitor, prompt: str, checkpoint: str) -> list[str]:
        seen = []
        for seed in range(6):
            choice = {"name": checkpoint, "step": 40}
            seen.append(visitor.writes(f"{prompt}:", seed=seed, checkpoint=choice, temperature=0.3 + seed / 10))
            visitor.send("undo", {"click": visitor.clicks})
            visitor.send("redo", {"click": visitor.clicks})
            visitor.send("settings", MANNER | {"temperature": 1.5})
            assert visitor.sees() == seen[-1] and seen[-1].startswith(f"{prompt}:")
        return seen

    one, other, third = Visitor(app), Visitor(app), Visitor(app)
    for visitor in (one, other, third):
        visitor.loads()
    example = third.sees()
    with ThreadPoolExecutor() as threads:
        jobs = [threads.submit(work, one, "Abcdef", "rnn"), threads.submit(work, other, "Ghijkl", "gru")]
        seen = [job.result() for job in jobs]
    for texts, prompt, checkpoint in zip(seen, ("Abcdef", "Ghijkl"), ("rnn", "gru"), strict=True):
        for seed, text in enumerate(texts):
            values = [f"{prompt}:", checkpoint, 40, 0.3 + seed / 10, 0, 1.0, 0.0, seed, -1]
            assert app.call("write", values) == (True, text), "alone it would have been another one"
    assert third.sees() == example
    assert {visitor: visitor.sees() for visitor in private} == private


def test_nothing_of_a_visitor_is_told_by_any_address(app: Attacked, private):
    for path in ("", "config", "gradio_api/info", "gradio_api/openapi.json", "gradio_api/queue/status", "theme.css"):
        assert app.ask("GET", path).status_code == 200  # and is searched for what is private
    assert app.call("models", [])[0]


def test_a_model_s_folder_is_told_without_where_this_machine_keeps_it(app: Attacked, checkpoints: Path):
    told = [json.loads(text) for text in Visitor(app).loads() if text.startswith('{"models"')]
    sources = {model["name"]: model["source"] for model in told[-1]["models"]}
    assert sources == {name: f"Path('{checkpoints.name}/{name}')" for name in ("rnn", "gru", "script")}


def test_a_session_can_be_left_by_a_stranger_and_is_not_lost(app: Attacked, private):
    """Its name would have to be guessed; who has it can end what the page writes, as the page itself does."""
    visitor = Visitor(app)
    visitor.loads()
    text = visitor.writes("Mnop:")
    dependency, part, _ = next(event for event in app.events if event[2] == "unload")
    assert Visitor(app, visitor.session).fire(dependency, part, {}) == []
    assert visitor.sees() == text
