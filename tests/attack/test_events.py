"""Invalid data in the events of the page and in the call that writes its text."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.attack.attack_client import SETTINGS, AttackedApp, PageSession, in_parallel
from tests.attack.test_endpoints import is_clear_reason

pytestmark = pytest.mark.process

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
    SETTINGS | dict.fromkeys(("prompt", "passage", "view", "character", "scene"), BAD) | {"run": 0, "position": 0},
    SETTINGS | {"prompt": "a", "characters": 10**9, "edits": [[0, BAD]] * 600},
    SETTINGS | {"prompt": "a", "edits": [[0, "a"], [10**9, "b"], [True, "c"]], "position": -1, "character": "ab"},
    {"a": {"b": {"c": [[[[{"url": "/etc/passwd"}]]]]}}},
]  # fmt: skip


def starts_timing(app: AttackedApp, part: int | None, data: Any) -> bool:
    """Return whether an event times a training step, for seconds."""
    is_timing = app.modules.get(part) == "charrnn/under_the_hood/live_timing.js"
    return is_timing and isinstance(data, dict) and data.get("width") == 900


def test_invalid_event_data_is_answered(app: AttackedApp):
    requests = [
        (dependency, part, name, data)
        for i, data in enumerate(GARBAGE)
        for dependency, part, name in app.events
        if not starts_timing(app, part, data) and not (name == "failure" and i >= 3)
    ]
    for (_, part, name, data), answers in in_parallel(
        lambda request: PageSession(app).send(request[0], request[1], request[3]), requests
    ):
        assert not any(answer.startswith("!") for answer in answers), (name, part, repr(data)[:80], answers)


RIGHT: dict[str, Any] = {"checkpoint": {"name": "gru"}, "text": "ROMEO:", "prompt": 6, "count": 20, "seed": 5}
WRONG: dict[str, list[Any]] = {
    "checkpoint": ["gru", {"name": "/etc/passwd"}, {"name": "gru", "step": 7}, {"name": "gru", "more": 1}],
    "text": [None, 5, ["a"], "a" * 24_001],
    "prompt": [-1, 1.5, "x"],
    "start": [-1, 10**9],
    "count": [-1, 1001, 10**30],
    "seed": [-1, 2**32, "x", float("nan")],
    "temperature": [-1, 1e-9, 2.5, float("inf"), None],
    "top_k": [-1, 1.5],
    "top_p": [0, 1.1],
    "min_p": [-0.1, 2],
    "edits": [[[0, "ab"]], [[-1, "a"]], [[0]], [[0, "a"]] * 501, "x"],
    "view": [5, "x" * 201],
    "clamps": [[{"name": "x"}], [{"name": "h", "unit": 10**9}], [{}], [{"name": "h", "unit": 0, "value": 9}] * 9],
    "recurrent_scale": [0, 0.4, 1.7, "x"],
    "unknown": [1],
}


def test_text_answers_are_compressed(app: AttackedApp):
    answer = app.post("gradio_api/run/continue_text", {"data": [RIGHT]})
    assert answer.headers["content-encoding"] in ("br", "gzip")


def test_wrong_text_calls_are_refused(app: AttackedApp):
    assert app.continue_text(RIGHT)["text"].startswith("ROMEO:")
    for name, values in WRONG.items():
        for value in values:
            answer = app.continue_text(RIGHT | {name: value})
            assert list(answer) == ["error"] and is_clear_reason(answer["error"]), (name, value, answer)


def test_queued_events_cannot_skip_the_queue(app: AttackedApp):
    for dependency, part, name in app.events:
        request = {"data": [None], "event_data": GARBAGE[7], "fn_index": dependency["id"], "trigger_id": part}
        body = request | {"session_hash": PageSession(app).session, "data": [None] * len(dependency["inputs"])}
        answer = app.post("gradio_api/run/predict", body)
        assert answer.status_code == (404 if dependency["queue"] else 200), (name, answer.text)


def test_model_source_hides_the_local_path(app: AttackedApp, checkpoints: Path):
    *_, last = (json.loads(value) for value in PageSession(app).load() if value.startswith('{"models"'))
    sources = {model["name"]: model["source"] for model in last["models"]}
    assert sources == {name: f"Path('{checkpoints.name}/{name}')" for name in ("rnn", "gru", "script")}
