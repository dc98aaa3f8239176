"""What the server tells the page, without a page."""

import base64
import json
from typing import Any

import numpy as np
import pytest

from charrnn.ui.messages import (
    Columns,
    characters_per_message,
    columns_part,
    dropped_notice,
    full_speed,
    halves,
    message,
    message_seconds,
    messages_per_second,
    notice,
)
from charrnn.ui.wishes import LARGEST_EXACT, Manner, Wishes, sampling, view_of, whole


def test_values_come_back_to_three_digits_whatever_their_size():
    values = np.random.default_rng(0).uniform(-1, 1, (50, 7)).astype(np.float32) * 10.0 ** np.arange(-3, 4)
    np.testing.assert_allclose(halves(values), values, rtol=2**-11, atol=2**-25)


def test_values_too_large_for_half_precision_are_clipped():
    assert halves(np.array([-1e9, 0.0, 7e4])).tolist() == [-65504, 0, 65504]


def test_a_part_carries_every_column_and_logit():
    values = np.linspace(-3, 3, 6, dtype=np.float32).reshape(2, 3)
    logits = np.arange(8, dtype=np.float32).reshape(2, 4) / 3
    part = columns_part(5, Columns("é\n", values, logits, [None, 0.25]))
    assert part["from"] == 5 and part["text"] == "é\n" and part["draws"] == [None, 0.25]
    assert np.frombuffer(base64.b64decode(part["columns"]), "<f2").reshape(2, 3).tolist() == halves(values).tolist()
    assert np.frombuffer(base64.b64decode(part["logits"]), "<f4").reshape(2, 4).tolist() == logits.tolist()


def test_columns_follow_each_other():
    first, second = (
        Columns(text, np.full((n, 3), n), np.full((n, 2), -n), [0.5] * n) for text, n in (("a", 1), ("bc", 2))
    )
    both = first.and_then(second)
    assert both.text == "abc" and both.draws == [0.5] * 3
    assert both.values[:, 0].tolist() == [1, 2, 2] and both.logits[:, 1].tolist() == [-1, -2, -2]


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
    assert full_speed(1) >= 1000
    assert 100 * full_speed(100) == 10 * full_speed(10) == 4000


def test_a_notice_names_characters_and_positions():
    said = dropped_notice([(0, "é"), (4, "\t")])
    assert said == notice("Left out 2 characters this model has never seen: 'é' at position 0, '\\t' at position 4.")
    many = dropped_notice([(i, "ß") for i in range(9)])
    assert many is not None and "and 4 more" in many["text"]
    assert dropped_notice([]) is None


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
        ("seed", 2**32),
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
    assert whole("step", 7.0, 0, LARGEST_EXACT) == 7
    assert whole("step", LARGEST_EXACT, 0, LARGEST_EXACT) == 2**53 - 1
    assert sampling(0, 5.0, 1, 0).top_k == 5


def test_what_the_heatmap_is_asked_to_show_is_a_text():
    assert view_of({"view": "layer 6"}) == "layer 6"
    for sent in ({}, None, {"view": 3}, {"view": "c" * 256}):
        with pytest.raises(ValueError, match="view is|length of the view"):
            view_of(sent)
