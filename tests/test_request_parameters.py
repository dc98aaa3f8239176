"""Notices and request validation."""

from typing import Any

import pytest

from charrnn.ui.server.page_messages import dropped_notice, notice
from charrnn.ui.server.request_parameters import MAX_SAFE_INTEGER, Character, Choice, Prompt, Sampling, Step, validate


def test_notice_names_dropped_characters():
    text = "Skipped 2 characters the network does not know: “é”, “⇥”"
    assert dropped_notice([(0, "é"), (4, "\t")]) == notice(text)
    many = dropped_notice([(i, "ßåæçëñß"[i % 7]) for i in range(14)])
    assert many == notice("Skipped 14 characters the network does not know: “ß”, “å”, “æ”, “ç”, “ë”, …")
    assert dropped_notice([]) is None


def test_whole_numbers_may_have_a_point():
    assert [validate(Step, step) for step in (7.0, MAX_SAFE_INTEGER)] == [7, 2**53 - 1]
    assert Sampling(temperature=0, top_k=5.0).settings.top_k == 5  # pyright: ignore[reportArgumentType]


class Sent(Sampling):
    """A request with a field for every kind of problem."""

    title: Prompt
    edits: list[tuple[Step, Character]] = []
    checkpoint: Choice = Choice()


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"title": "a" * 1001}, "the length of title is 1001: give at most 1000"),
        ({"title": 5}, "title is 5: give a text"),
        ({}, "title is empty: give what fits: field required"),
        ({"title": "", "top_p": 0}, "top_p is 0: give more than 0 and at most 1"),
        ({"title": "", "edits": [[-1, "a"]]}, f"edits is -1: give a whole number from 0 to {MAX_SAFE_INTEGER}"),
        ({"title": "", "checkpoint": {"name": 3}}, "name is 3: give a text"),
        ({"title": "", "checkpoint": {"more": 3}}, "more is 3: give what fits: unexpected keyword argument"),
        (5, "the request is 5: give what fits: input should be a valid dictionary or instance of Sent"),
    ],
)
def test_invalid_request_names_value_and_limit(sent: Any, message: str):
    with pytest.raises(ValueError) as refused:
        validate(Sent, sent)
    assert str(refused.value) == message
