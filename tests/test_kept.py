"""A text that a page kept while its server was away goes on as if nothing had been; anyone may have made one up."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from charrnn.ui.kept import Kept
from charrnn.ui.session import Session
from charrnn.ui.store import Store
from charrnn.ui.wishes import LONGEST_TEXT, Choice, Manner, Wishes

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {"temperature": 0.8, "top_k": 5, "top_p": 1, "min_p": 0, "speed": 0}
KEPT = SETTINGS | {
    "checkpoint": {"name": "rnn", "step": 1000},
    "text": "ROMEO:\nWhat",
    "prompt": 7,
    "seed": 11,
    "span": 60,
    "limit": 60,
    "edits": [[0, "W"]],
    "state": "paused",
    "view": "h",
}


def told(session: Session, store: Store) -> list[dict[str, Any]]:
    """What a session that goes on writing tells, to the end."""

    async def run() -> list[dict[str, Any]]:
        return [json.loads(each) async for each in session.writing(store)]

    return asyncio.run(run())


def test_a_text_goes_on_at_another_process_as_it_would_have_gone_on_at_the_first():
    store = Store(ROOT / "checkpoints")
    first, second = Session(), Session()
    wishes = Wishes(Manner.from_page(SETTINGS), Choice("rnn", 1000), "ROMEO:\n", 11, 60, {3: "z"})
    asyncio.run(first.begin(store, wishes))
    whole = "".join(each.get("text", "") for each in told(first, store))
    assert len(whole) == 67 and whole[10] == "z"

    stood = KEPT | {"text": whole[:31], "edits": [[3, "z"]]}
    asyncio.run(second.restore(store, Kept.from_page(stood)))
    shown = json.loads(asyncio.run(second.show()))
    assert shown["session"] != json.loads(asyncio.run(first.show()))["session"]
    assert (shown["text"], shown["prompt"], shown["state"], shown["edits"]) == (whole[:31], 7, "paused", [[3, "z"]])
    assert (shown["seed"], shown["span"], shown["limit"], shown["model"]["step"]) == (11, 60, 60, 1000)
    assert shown["notice"]["text"].endswith("text and settings as they were. Resume writes on.")
    assert whole[:31] + "".join(each.get("text", "") for each in told(second, store)) == whole


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"text": "a" * (LONGEST_TEXT + 1)}, "the length of the text is 6001: give at most 6000 characters"),
        ({"text": ["a"]}, r"text is \['a'\]: give a text"),
        ({"prompt": 12}, "prompt is 12: give a whole number from 0 to 11"),
        ({"seed": -1}, "seed is -1"),
        ({"span": 1e9}, "span is 1000000000.0: give a whole number from 0 to 3000"),
        ({"limit": float("nan")}, "limit is nan"),
        ({"state": "writing"}, "give empty, paused, finished"),
        ({"state": ["paused"]}, "give empty, paused, finished"),
        ({"edits": [[0, "ab"]]}, "character is 'ab': give one character"),
        ({"view": 3}, "view is 3|the length|view"),
        ({"temperature": "hot"}, "temperature is 'hot'"),
        ({"checkpoint": "rnn"}, "checkpoint is 'rnn': give its name and its step"),
    ],
)
def test_what_was_made_up_is_refused_in_words(changed: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        Kept.from_page(KEPT | changed)


def test_something_else_altogether_is_refused():
    for sent in ([], "text", 7, {}):
        with pytest.raises(ValueError, match="give"):
            Kept.from_page(sent)


def test_an_emptied_page_comes_back_empty():
    session = Session()
    empty = KEPT | {"text": "", "prompt": 0, "limit": 0, "edits": [], "state": "empty"}
    asyncio.run(session.restore(Store(ROOT / "checkpoints"), Kept.from_page(empty)))
    assert (session.text, session.state) == ("", "empty")
