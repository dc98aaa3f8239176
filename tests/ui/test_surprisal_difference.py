"""Δ bits of the tab Compare: the surprisal difference of two models on one text."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, expect

from charrnn import figures
from charrnn.char_classes import KINDS, kinds
from charrnn.checkpoint import describe
from charrnn.invisible_chars import sign
from charrnn.number_format import signed
from charrnn.surprisal import Difference
from charrnn.ui.compare import surprisal_difference
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.source_text import SourceText
from charrnn.ui.server.view_query import ViewQuery
from tests.ui.compare_helpers import CUSTOM_TEXT, always, decoded, open_compare, side, surprisals_by_step
from tests.ui.conftest import CHECKPOINTS


def query_of(text: str, **form: Any) -> ViewQuery:
    pair = {name: {"checkpoint": {"name": model}} for name, model in (("A", "rnn"), ("B", "minigpt"))}
    return ViewQuery(form={"text": text, **pair, **form})


def differences_of(store: Store, text: str = CUSTOM_TEXT, **form: Any) -> list[dict[str, Any]]:
    return decoded(surprisal_difference.differences(store, query_of(text, **form), always))


@pytest.fixture(scope="module")
def reference() -> Difference:
    """The vanilla RNN against MiniGPT on CUSTOM_TEXT, computed one step at a time."""
    bits = [np.array(surprisals_by_step(name, CUSTOM_TEXT)) for name in ("rnn", "minigpt")]
    return Difference(CUSTOM_TEXT, *bits)


def test_surprisals_match_single_steps(store: Store, reference: Difference):
    first, last = differences_of(store)
    assert first["busy"] and f"Reading {len(CUSTOM_TEXT)} characters" in first["words"] and "busy" not in last
    assert last["text"] == CUSTOM_TEXT and [KINDS[kind] for kind in last["kinds"]] == kinds(CUSTOM_TEXT)
    for shown, bits in zip(last["bits"], (reference.a_bits, reference.b_bits), strict=True):
        assert np.array(shown) / 1000 == pytest.approx(bits, abs=1.1e-3)
    assert f"over {len(CUSTOM_TEXT)} characters of the text you typed or pasted" in last["words"]
    assert f"On this text Δ = {signed(float(reference.delta_bits.mean()))} bits per character" in last["words"], (
        "too short for ±"
    )
    rows = [[cell.get("value") for cell in row["cells"][1:5]] for row in last["table"]["rows"]]
    groups = [reference.whole(), *reference.by_kind(), *reference.by_context()]
    for row, group in zip(rows[: len(groups)], groups, strict=True):
        assert row == pytest.approx([group.characters, group.a_bits, group.b_bits, group.delta_bits], abs=1e-4)


def test_swapped_models_flip_signs_and_equal_models_are_zero(store: Store):
    rnn, gru = side("rnn", 2000), side("gru", 2000)
    forth, back = differences_of(store, A=rnn, B=gru)[-1], differences_of(store, A=gru, B=rnn)[-1]
    assert back["bits"] == forth["bits"][::-1]
    xs = [[x for bar in one["figure"]["data"] for x in bar["x"]] for one in (forth, back)]
    assert xs[0] == pytest.approx([-x for x in xs[1]])
    same = differences_of(store, A=rnn, B=rnn)[-1]
    assert (
        same["bits"][0] == same["bits"][1]
        and "On this text Δ = 0.000 bits" in same["words"]
        and "No difference." in same["words"]
    )


def test_default_text_and_length_limits(store: Store, monkeypatch: Any):
    monkeypatch.setattr(surprisal_difference, "text_for", lambda *_: SourceText("ab\n" * 5000, "a long text"))
    both = store.load("rnn"), store.load("gru")
    source, note = surprisal_difference.input_text(store, both, None)
    assert len(source.text) == 10_000 and str(source) == "a long text (its first 10,000 characters)" and not note
    _, note = surprisal_difference.input_text(store, both, SourceText("ab\n" * 5000))
    assert note == "It has 15,000 characters: only the first 10,000 are compared."
    with pytest.raises(ValueError, match="at most 20000"):
        differences_of(store, "a" * 20_001)
    with pytest.raises(ValueError, match="share no character of the text you typed or pasted"):
        differences_of(store, "→→")
    skipped = "Skipped 2 characters that one of the two networks does not know: “→”."
    assert skipped in differences_of(store, "→Ay→")[-1]["words"]
    one = differences_of(store, "A")[-1]
    assert "over 1 character of the text you typed or pasted" in one["words"] and one["figure"]["data"]


def test_stored_surprisals_of_held_out_text_come_first(store: Store):
    first, last = differences_of(store, CUSTOM_TEXT)
    infos = [describe(CHECKPOINTS / name) for name in ("rnn", "minigpt")]
    means = []
    for info in infos:
        found = info.analyses.sections["bits"]
        counts, bits = (np.array(found.numbers("kinds", column)) for column in ("characters", "bits"))
        inside = np.array(found.texts("kinds", "kind")) == "space"
        means.append([(counts * bits).sum() / counts.sum(), (counts * bits)[inside].sum() / counts[inside].sum()])
    (a, a_space), (b, b_space) = means
    assert first["words"].startswith(f"On 111,540 held-out characters B needs {a - b:.3f} ± ")
    assert "; A is better at “capital in a speaker's name” (0." in first["words"]
    assert last["words"].startswith(first["words"].removesuffix(f" Reading {len(CUSTOM_TEXT)} characters …"))
    (row,) = [row["cells"] for row in last["table"]["rows"] if row["cells"][0]["text"] == "held-out text: space"]
    assert [cell["value"] for cell in row[2:5]] == pytest.approx([a_space, b_space, a_space - b_space])
    early = differences_of(store, CUSTOM_TEXT, A=side("rnn", 0))
    assert "held-out" not in early[0]["words"] + str(early[-1]["table"])


def test_superseded_query_stops_and_caches_nothing(store: Store):
    text, is_current = CUSTOM_TEXT * 6, iter([True, False])
    answers = surprisal_difference.differences(store, query_of(text), lambda: next(is_current))
    assert len(decoded(answers)) == 1  # superseded before the second piece
    last = differences_of(store, text)[-1]
    assert len(last["bits"][0]) == len(text)


def test_every_bar_is_labeled_with_its_character_count(reference: Difference):
    groups = reference.by_kind()
    for width in (358, 900):
        drawn = figures.delta_bits_figure(groups, width).to_plotly_json()
        (bars,) = drawn["data"]
        assert list(bars["x"]) == [group.delta_bits for group in groups]
        assert list(bars["error_x"]["array"]) == [group.margin_bits or 0 for group in groups]
        pale = [opacity < 0.5 for opacity in bars["marker"]["opacity"]]
        assert pale == [group.characters < 30 for group in groups] and any(pale)
        notes = " ".join(str(note["text"]) for note in drawn["layout"]["annotations"])
        words = figures.describe_delta_bits(groups)
        for group in groups:
            count = f"{group.characters:,} character{'s' if group.characters > 1 else ''}"
            count += ", too few" if group.characters < 30 else ""
            assert f"<b>{group.name}</b> {signed(group.delta_bits)} · {count}" in notes
            assert f"{group.name} {signed(group.delta_bits)} ({count})" in words
    assert [signed(bits) for bits in (0.12345, -2.0, 0.0001, -0.0)] == ["+0.123", "−2.000", "0.000", "0.000"]


# ------------------------------------------------------------------ in a browser


def test_text_is_colored_by_surprisal_difference(
    context: BrowserContext, app: str, store: Store, reference: Difference
):
    page, bits = open_compare(context, app), np.array(differences_of(store)[-1]["bits"]) / 1000
    part = page.locator("#cr-delta")
    part.locator("summary").filter(has_text="Your own").click()
    part.get_by_label("Your own text").fill(CUSTOM_TEXT)
    part.get_by_role("button", name="Use this text").click()
    words = part.locator(".cr-plot-words")
    expect(words).to_contain_text(f"over {len(CUSTOM_TEXT)} characters of the text you typed or pasted")
    expect(words).to_contain_text(f"On this text Δ = {signed(float(reference.delta_bits.mean()))} ")
    spans = part.locator(".cr-passage span")
    assert "".join(spans.all_text_contents()) == CUSTOM_TEXT

    def sentence(i: int) -> str:
        a, b = bits[:, i]
        what = f"“{sign(CUSTOM_TEXT[i])}”, {kinds(CUSTOM_TEXT)[i]}, character {i + 1}"
        return f"{what}: A {a:.3f} bits, B {b:.3f} bits, Δ = {signed(a - b)}"

    readout = part.locator(".cr-readout")
    largest = int(np.abs(bits[0] - bits[1]).argmax())
    expect(readout).to_have_text(f"The largest difference: {sentence(largest)}")
    spans.nth(10).hover()
    expect(readout).to_have_text(sentence(10))
    part.locator(".cr-passage").focus()
    for key, i in {
        "Home": 0,
        "ArrowRight": 1,
        "ArrowDown": 9,
        "End": len(CUSTOM_TEXT) - 1,
        "ArrowLeft": len(CUSTOM_TEXT) - 2,
    }.items():
        page.keyboard.press(key)
        expect(part.locator("[role=status]")).to_have_text(sentence(i))
        assert spans.nth(i).evaluate("span => span.classList.contains('cr-here')")
    strong = np.abs(reference.delta_bits) > 1.01
    lines = spans.evaluate_all("all => all.map((span) => [span.className, getComputedStyle(span).backgroundColor])")
    assert all(("cr-b-better" in lines[i][0]) == (reference.delta_bits[i] > 0) for i in np.flatnonzero(strong))
    assert all(("cr-a-better" in lines[i][0]) == (reference.delta_bits[i] < 0) for i in np.flatnonzero(strong))
    for i in np.flatnonzero(strong):
        red, _, blue = (int(channel) for channel in lines[i][1][4:-1].split(","))
        assert (red > blue) == (reference.delta_bits[i] > 0)  # orange above zero, blue below
    drawn = page.evaluate("[...document.querySelector('#cr-delta .cr-plot').data[0].x]")
    assert drawn == pytest.approx([group.delta_bits for group in reference.by_kind()], abs=1e-4)
    part.locator("summary").filter(has_text="Averages").click()
    row = part.locator("tbody tr").filter(has_text="letter within a word").locator("td")
    group = next(group for group in reference.by_kind() if group.name == "letter within a word")
    assert row.all_inner_texts()[0] == str(group.characters)

    for letter in ("A", "B"):
        page.locator(f'#cr-pair [data-side="{letter}"]').get_by_label("network").select_option("lstm")
    expect(words).to_contain_text("No difference.")
    part.get_by_role("button", name="Use my text from Write").click()
    there = page.evaluate("charrnn.live.text")
    over = f"over {len(there)} characters of the text of Write (7 given; 400 written by LSTM, step 2,000, "
    expect(words).to_contain_text(over)
    expect(words).to_contain_text("A and B wrote this text")
    assert part.get_by_label("Your own text").input_value() == there == "".join(spans.all_text_contents())
    part.get_by_role("button", name="Use the sample text").click()
    expect(words).to_contain_text("a scene written for this project")
    expect(part.get_by_label("Your own text")).to_have_value("")
