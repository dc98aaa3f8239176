"""The part "same dice" of the tab Compare: two models that share their random draws."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from charrnn.coupled_sampling import CdfInterval
from charrnn.invisible_chars import sign
from charrnn.sampling import SamplingSettings, UniformStream
from charrnn.ui.compare import coupled_sampling
from charrnn.ui.components import divergence
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.view_query import ViewQuery
from tests.ui.compare_helpers import SETTINGS, always, continuation, decoded, open_compare, probabilities, side


def coupled_texts(store: Store, **form: Any) -> list[dict[str, Any]]:
    return decoded(coupled_sampling.both_texts(store, ViewQuery(form=form), always))


def test_coupled_texts_match_each_model_and_stream(store: Store):
    answers = coupled_texts(store)
    expected = [continuation(name, None, SETTINGS, "ROMEO:\n", 300, 12) for name in ("rnn", "minigpt")]
    assert answers[-1]["texts"] == expected
    assert [len(one["texts"][0]) for one in answers] == list(range(20, 301, 20))
    assert all(e.startswith(t) for one in answers for e, t in zip(expected, one["texts"], strict=True))
    assert answers[0]["titles"] == ["A · Vanilla RNN", "B · MiniGPT"] and "models" not in answers[1]


def test_divergence_shows_cdf_intervals_of_both(store: Store):
    divergence = coupled_texts(store)[-1]["divergence"]
    a, b = (continuation(name, None, SETTINGS, "ROMEO:\n", 300, 12) for name in ("rnn", "minigpt"))
    at = next(i for i in range(300) if a[i] != b[i])
    assert divergence["at"] == at and divergence["u"] == UniformStream(12)[at]
    for name, shown, drew, other in zip(
        ("rnn", "minigpt"), divergence["sides"], (a[at], b[at]), (b[at], a[at]), strict=True
    ):
        probs = probabilities(name, "ROMEO:\n" + a[:at], 0.8)
        ends = dict(zip(probs, np.cumsum(list(probs.values())), strict=True))
        assert shown["drawn"]["character"] == drew and shown["other"] == other
        assert shown["drawn"]["high"] == pytest.approx(ends[drew], abs=1e-5)
        assert shown["drawn"]["low"] <= divergence["u"] < shown["drawn"]["high"]
        order = list(probs)
        for row in shown["rows"]:
            assert order[row["rank"]] == row["character"] and row["p"] == pytest.approx(
                probs[row["character"]], abs=1e-5
            )
        assert {drew, other} <= {row["character"] for row in shown["rows"]} and len(shown["rows"]) == 8
        assert [c for c, _ in shown["pieces"]] == order[: len(shown["pieces"])]
    assert f"The first {at} characters are the same" in divergence["why"]
    assert f"falls on “{a[at]}” in A" in divergence["why"] and f"on “{b[at]}” in B" in divergence["why"]


def test_divergence_shows_filtered_characters(store: Store):
    cold = side("rnn", 2000, temperature=0.8, top_k=3)
    last = coupled_texts(store, A=side("rnn", 2000, temperature=0.8), B=cold, seed=1)[-1]
    a, b = last["divergence"]["sides"]
    assert (a["kept"], b["kept"], a["of"]) == (65, 3, 65)
    assert [row["cut"] for row in b["rows"]] == [row["rank"] >= 3 for row in b["rows"]] and any(
        r["cut"] for r in b["rows"]
    )
    assert sum(row["p"] for row in b["rows"]) == pytest.approx(1)
    assert last["texts"][1] == continuation("rnn", 2000, SamplingSettings(0.8, top_k=3), "ROMEO:\n", 300, 1)


def test_equal_sides_are_reported_identical(store: Store):
    last = coupled_texts(store, A=side("gru", 100), B=side("gru", 100), characters=40)[-1]
    assert last["divergence"] is None and last["texts"][0] == last["texts"][1]
    assert last["words"].startswith("Identical: both write the same 40 characters; the same model")
    greedy = [side("rnn", 2000, temperature=0, top_k=k) for k in (0, 5)]  # different settings that do the same
    words = coupled_texts(store, A=greedy[0], B=greedy[1], characters=40)[-1]["words"]
    assert words == "Identical: both write the same 40 characters; no die fell where they differ."


def test_enough_digits_to_separate_draw_and_bounds():
    intervals = [CdfInterval("a", 0, 0.0, 0.41204), CdfInterval("b", 1, 0.4119, 0.9)]
    assert divergence.digits_for(0.412, [intervals[1]]) == 4 and divergence.digits_for(0.412, intervals) == 5
    assert divergence.why(1, 0.412, intervals, 5).startswith(
        "The first character is the same, then they part: u = 0.41200 falls on “a” in A (0.00000 to"
    )


def test_superseded_query_stops_writing(store: Store):
    is_current = iter([True, False])
    assert len(decoded(coupled_sampling.both_texts(store, ViewQuery(), lambda: next(is_current)))) == 1


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"A": {"temperature": 3}}, "A: temperature is 3"),
        ({"B": {"top_p": 0}}, "B: top_p is 0"),
        ({"B": {"top_k": None}}, "B: top_k is empty"),
        ({"A": side("none", 0)}, "there is no checkpoint 'none'"),
        ({"A": side("rnn", 7)}, "was not saved at step 7"),
        ({"A": {"checkpoint": 3}}, "checkpoint is 3"),
        ({"seed": -1}, "seed is -1"),
        ({"characters": 1001}, "characters is 1001: give a whole number from 1 to 1000"),
        ({"prompt": "a" * 1001}, "at most 1000"),
        ({"prompt": 4}, "prompt is 4"),
    ],
)
def test_invalid_coupled_queries_are_refused(store: Store, form: dict[str, Any], why: str):
    with pytest.raises(ValueError, match=why):
        coupled_texts(store, **form)


def test_unknown_prompt_characters_are_left_out(store: Store):
    last = coupled_texts(store, prompt="R→O", characters=20)[-1]
    assert last["prompt"] == "RO" and "Left out 1 character that A or B has never seen: '→'." in last["words"]


# ------------------------------------------------------------------ in a browser


def shown_texts(page: Page) -> list[str]:
    texts = page.locator("#cr-dice .cr-written").evaluate_all("places => places.map((place) => place.textContent)")
    return [text.removeprefix("ROMEO:\n") for text in texts]


def wait_for_texts(page: Page, *texts: str) -> None:
    page.wait_for_function(
        """(texts) => {
            const shown = [...document.querySelectorAll('#cr-dice .cr-written')].map((place) => place.textContent);
            return JSON.stringify(shown) === JSON.stringify(texts);
        }""",
        arg=["ROMEO:\n" + text for text in texts],
    )


def test_coupled_texts_are_shown_with_their_divergence(context: BrowserContext, app: str, store: Store):
    page, answer = open_compare(context, app), coupled_texts(store)[-1]
    (a, b), divergence = answer["texts"], answer["divergence"]
    at, u = divergence["at"], divergence["u"]
    wait_for_texts(page, a, b)
    assert page.locator("#cr-dice mark").all_text_contents() == [a[at], b[at]]
    assert page.locator("#cr-dice .cr-common").all_text_contents() == [a[:at]] * 2
    bars, words = page.locator("#cr-dice .cr-cumulative"), page.locator("#cr-dice .cr-plot-words")
    expect(words).to_contain_text(f"u = {u:.3f}")
    for i, side_of in enumerate(divergence["sides"]):
        rows, drawn = page.locator("#cr-dice .cr-list").nth(i).locator("li"), side_of["drawn"]
        letters, chances = (rows.locator(part).all_text_contents() for part in (".cr-letter", ".cr-chance"))
        assert letters == [sign(row["character"]) for row in side_of["rows"]]
        assert chances == [f"{100 * row['p']:.2f}%" for row in side_of["rows"]]
        expect(rows.filter(has_text="◀ u").locator(".cr-letter")).to_have_text(sign(drawn["character"]))
        expect(rows.filter(has_text="drew it").locator(".cr-letter")).to_have_text(sign(side_of["other"]))
        label = bars.nth(i).get_attribute("aria-label") or ""
        bounds = f"from {drawn['low']:.4f} to {drawn['high']:.4f}"
        assert f"“{sign(drawn['character'])}” {bounds}; u = {u:.4f}" in label
        box, landed = bars.nth(i).bounding_box(), bars.nth(i).locator(".cr-fallen").bounding_box()
        die = page.locator("#cr-dice .cr-die-place").bounding_box()
        assert box and landed and die and landed["x"] <= die["x"] + 1 <= landed["x"] + landed["width"]
        assert die["x"] + 1 == pytest.approx(box["x"] + u * box["width"], abs=1.5)
        assert die["y"] <= box["y"] and die["y"] + die["height"] >= box["y"] + box["height"]  # one line through both

    b_side = page.locator('#cr-dice [data-side="B"]')
    b_side.get_by_label("model").select_option("rnn")
    wait_for_texts(page, a, a)
    expect(words).to_have_text(
        "Identical: both write the same 300 characters; the same model with the same settings and the same dice."
    )
    expect(page.locator("#cr-dice .cr-divergence")).to_be_hidden()
    b_side.get_by_label("training step").select_option("300")
    wait_for_texts(page, a, continuation("rnn", 300, SETTINGS, "ROMEO:\n", 300, 12))
    expect(page.locator("#cr-dice .cr-writer h3")).to_have_text(["A · Vanilla RNN", "B · Vanilla RNN, step 300"])
    b_side.get_by_label("training step").select_option("2000")
    b_side.get_by_label("temperature").fill("0")
    b_side.get_by_label("temperature").press("Enter")
    page.locator("#cr-dice").get_by_role("button", name="Other dice").click()
    cold = continuation("rnn", None, SamplingSettings(temperature=0), "ROMEO:\n", 300, 13)
    wait_for_texts(page, continuation("rnn", None, SETTINGS, "ROMEO:\n", 300, 13), cold)
    b_side.get_by_label("temperature").fill("7")
    b_side.get_by_label("temperature").press("Enter")
    assert b_side.get_by_label("temperature").evaluate("input => !input.validity.valid")
    assert shown_texts(page)[1] == cold
