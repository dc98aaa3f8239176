"""Anything at all, sent to the endpoints and the events of the page: a short answer comes, and nothing else happens."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attack.attack_client import MANNER, Attacked, Page
from tests.attack.test_endpoints import in_words, values
from tests.attack.test_events import RIGHT, WRONG

pytestmark = pytest.mark.process

EXAMPLES = 100  # of each property below
FAST = settings(max_examples=EXAMPLES, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
MAX_CHARS = 20_000  # characters of an answer: the list of a model's characters, or a text

TEXT = st.text(st.characters(codec=None), max_size=12)  # lone surrogates too
NUMBER = st.integers() | st.floats() | st.integers(-4, 4) | st.sampled_from([2**53, 10**400, -0.0])
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
NEARLY = MANNER | {"prompt": "a", "passage": "ab", "run": 0, "position": 0, "character": "a", "view": "h", "click": 1}


@FAST
@given(st.data())
def test_random_arguments_are_answered_or_refused(app: Attacked, data: st.DataObject):
    name = data.draw(st.sampled_from(sorted(app.endpoints))).removeprefix("/")
    right = values(app, name)
    places = data.draw(st.sets(st.integers(0, max(0, len(right) - 1))) if right else st.just(set[int]()))
    sent = [data.draw(ANYTHING) if place in places else value for place, value in enumerate(right)]
    sent += data.draw(st.lists(ANYTHING, max_size=1)) if data.draw(st.integers(0, 9)) == 0 else []
    ok, told = app.call(name, sent)
    assert ok or in_words(told), (sent, told)
    assert len(json.dumps(told)) < MAX_CHARS


@FAST
@given(st.one_of(st.binary(max_size=200), ANYTHING.map(lambda any: json.dumps({"data": any}).encode())))
def test_random_bodies_are_answered_or_refused(app: Attacked, body: bytes):
    for path in ("call/write", "call/v2/write", "queue/join", "run/predict", "run/continue_text", "cancel", "nothing"):
        answer = app.post(f"gradio_api/{path}", body)
        if path == "run/continue_text" and answer.status_code == 200:
            continue  # its request may be right, or is refused by the answer
        assert 400 <= answer.status_code < 500 and len(answer.text) < 2000
        assert path == "nothing" or in_words(answer.json()["detail"])


@FAST
@given(st.data())
def test_random_event_data_is_answered(app: Attacked, data: st.DataObject):
    events = [event for event in app.events if event[2] not in ("failure",)]
    dependency, part, name = data.draw(st.sampled_from(events))
    if app.modules.get(part) == "charrnn/under_the_hood/live_timing.js":
        return
    nearly = st.dictionaries(st.sampled_from([*NEARLY, "edits", "names", "number", "sent", "checkpoint"]), ANYTHING)
    sent: Any = data.draw(ANYTHING | nearly.map(lambda changed: NEARLY | changed))
    page = Page(app)
    page.loads()
    assert not any(text.startswith("!") for text in page.fire(dependency, part, sent)), (name, sent)


@FAST
@given(st.dictionaries(st.sampled_from(sorted(WRONG)), ANYTHING, max_size=3))
def test_random_text_calls_are_answered_or_refused(app: Attacked, changed: dict[str, Any]):
    told = app.continued(RIGHT | changed)
    assert "text" in told or in_words(told["error"]), (changed, told)
