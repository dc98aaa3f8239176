"""Random data in endpoints and events gets short answers, and the app goes on."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.attack.attack_client import SETTINGS, AttackedApp, PageSession
from tests.attack.test_endpoints import arguments, is_clear_reason
from tests.attack.test_events import RIGHT, WRONG

pytestmark = pytest.mark.process

EXAMPLES = 100  # of each property below
FAST = settings(max_examples=EXAMPLES, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
MAX_CHARS = 20_000  # of an answer

TEXT = st.text(st.characters(codec=None), max_size=12)  # lone surrogates too
NUMBER = st.integers() | st.floats() | st.integers(-4, 4) | st.sampled_from([2**53, 10**400, -0.0])
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
VALID_DATA = SETTINGS | {
    "prompt": "a",
    "passage": "ab",
    "run": 0,
    "position": 0,
    "character": "a",
    "view": "h",
    "click": 1,
}


@FAST
@given(st.data())
def test_random_arguments_are_answered_or_refused(app: AttackedApp, data: st.DataObject):
    name = data.draw(st.sampled_from(sorted(app.endpoints))).removeprefix("/")
    right = arguments(app, name)
    places = data.draw(st.sets(st.integers(0, max(0, len(right) - 1))) if right else st.just(set[int]()))
    sent = [data.draw(ANYTHING) if place in places else value for place, value in enumerate(right)]
    sent += data.draw(st.lists(ANYTHING, max_size=1)) if data.draw(st.integers(0, 9)) == 0 else []
    ok, answer = app.call(name, sent)
    assert ok or is_clear_reason(answer), (sent, answer)
    assert len(json.dumps(answer)) < MAX_CHARS


@FAST
@given(st.one_of(st.binary(max_size=200), ANYTHING.map(lambda any: json.dumps({"data": any}).encode())))
def test_random_bodies_are_answered_or_refused(app: AttackedApp, body: bytes):
    for path in ("call/write", "call/v2/write", "queue/join", "run/predict", "run/continue_text", "cancel", "nothing"):
        answer = app.post(f"gradio_api/{path}", body)
        if path == "run/continue_text" and answer.status_code == 200:
            continue  # a valid request, or an answer with the reason
        assert 400 <= answer.status_code < 500 and len(answer.text) < 2000
        assert path == "nothing" or is_clear_reason(answer.json()["detail"])


@pytest.fixture(scope="module")
def loaded_page(app: AttackedApp) -> PageSession:
    page = PageSession(app)
    page.load()
    return page


@FAST
@given(st.data())
def test_random_event_data_is_answered(app: AttackedApp, loaded_page: PageSession, data: st.DataObject):
    events = [event for event in app.events if event[2] not in ("failure",)]
    dependency, part, name = data.draw(st.sampled_from(events))
    if app.modules.get(part) == "charrnn/under_the_hood/live_timing.js":
        return
    changes = st.dictionaries(
        st.sampled_from([*VALID_DATA, "edits", "names", "number", "sent", "checkpoint"]), ANYTHING
    )
    sent: Any = data.draw(ANYTHING | changes.map(lambda changed: VALID_DATA | changed))
    assert not any(value.startswith("!") for value in loaded_page.send(dependency, part, sent)), (name, sent)


@FAST
@given(st.dictionaries(st.sampled_from(sorted(WRONG)), ANYTHING, max_size=3))
@example({"checkpoint": {"\xa0": None}})
@example({"checkpoint": {"meta": None}})
def test_random_text_calls_are_answered_or_refused(app: AttackedApp, changed: dict[str, Any]):
    answer = app.continue_text(RIGHT | changed)
    assert "text" in answer or is_clear_reason(answer["error"]), (changed, answer)
