"""Compare: the bits that separate two models on one text."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from charrnn import figures
from charrnn.char_classes import KINDS, kinds
from charrnn.checkpoint import describe
from charrnn.ranges import signed
from charrnn.surprisal import Difference
from charrnn.ui.compare import surprisal_difference
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.source_text import SourceText
from charrnn.ui.server.view_query import ViewQuery
from tests.ui.conftest import CHECKPOINTS
from tests.ui.versus import OWN, PATIENCE, always, open_compare, plain_bits, side, told


def delta_of(store: Store, text: str = OWN, **form: Any) -> list[dict[str, Any]]:
    return told(surprisal_difference.differences(store, ViewQuery(form={"text": text, **form}), always))


@pytest.fixture(scope="module")
def plain() -> Difference:
    """The vanilla network against MiniGPT on OWN, by a plain loop."""
    return Difference(OWN, np.array(plain_bits("rnn", OWN)), np.array(plain_bits("minigpt", OWN)))


def test_every_character_has_the_surprisals_of_a_plain_loop(store: Store, plain: Difference):
    first, last = delta_of(store)
    assert first["busy"] and f"Reading {len(OWN)} characters" in first["words"] and "busy" not in last
    assert last["text"] == OWN and [KINDS[kind] for kind in last["kinds"]] == kinds(OWN)
    for shown, bits in zip(last["bits"], (plain.a_bits, plain.b_bits), strict=True):
        assert np.array(shown) / 1000 == pytest.approx(bits, abs=1.1e-3)
    assert f"over {len(OWN)} characters of the text you typed or pasted" in last["words"]
    assert f"Mean Δ = {signed(float(plain.delta_bits.mean()))} ±" in last["words"]
    rows = [[cell.get("value") for cell in row["cells"][1:5]] for row in last["table"]["rows"]]
    groups = [plain.whole(), *plain.by_kind(), *plain.by_context()]
    for row, group in zip(rows[: len(groups)], groups, strict=True):
        assert row == pytest.approx([group.characters, group.a_bits, group.b_bits, group.delta_bits], abs=1e-4)


def test_swapped_every_sign_is_flipped_and_the_same_model_differs_nowhere(store: Store):
    rnn, gru = side("rnn", 2000), side("gru", 2000)
    forth, back = delta_of(store, A=rnn, B=gru)[-1], delta_of(store, A=gru, B=rnn)[-1]
    assert back["bits"] == forth["bits"][::-1]
    xs = [[x for bar in one["figure"]["data"] for x in bar["x"]] for one in (forth, back)]
    assert xs[0] == pytest.approx([-x for x in xs[1]])
    same = delta_of(store, A=rnn, B=rnn)[-1]
    assert (
        same["bits"][0] == same["bits"][1]
        and "Mean Δ = 0.000 bits" in same["words"]
        and "No difference." in same["words"]
    )


def test_the_default_is_the_passage_of_the_app_and_what_is_too_long_is_bounded(store: Store, monkeypatch: Any):
    monkeypatch.setattr(surprisal_difference, "text_for", lambda *_: SourceText("ab\n" * 5000, "a long text"))
    both = store.load("rnn"), store.load("gru")
    source, note = surprisal_difference.input_text(store, both, None)
    assert len(source.text) == 10_000 and str(source) == "a long text (its first 10,000 characters)" and not note
    _, note = surprisal_difference.input_text(store, both, SourceText("ab\n" * 5000))
    assert note == "It has 15,000 characters: only the first 10,000 are compared."
    with pytest.raises(ValueError, match="at most 20000"):
        delta_of(store, "a" * 20_001)
    with pytest.raises(ValueError, match="share no character of the text you typed or pasted"):
        delta_of(store, "→→")
    assert "Left out 2 characters that A or B has never seen: '→'." in delta_of(store, "→Ay→")[-1]["words"]
    one = delta_of(store, "A")[-1]
    assert "over 1 character of the text you typed or pasted" in one["words"] and one["figure"]["data"]


def test_what_is_kept_of_the_whole_held_out_text_is_told_at_once(store: Store):
    first, last = delta_of(store, OWN)
    infos = [describe(CHECKPOINTS / name) for name in ("rnn", "minigpt")]
    sums = []
    for info in infos:
        found = info.analyses.sections["bits"]
        counts, bits = (np.array(found.numbers("kinds", column)) for column in ("characters", "bits"))
        inside = np.array(found.texts("kinds", "kind")) == "space"
        sums.append([(counts * bits).sum() / counts.sum(), (counts * bits)[inside].sum() / counts[inside].sum()])
    (a, a_space), (b, b_space) = sums
    assert first["words"].startswith(f"On all 111,540 held-out characters Δ = {signed(a - b)} ± ")
    assert last["words"].endswith(first["words"].removesuffix(f" Reading {len(OWN)} characters …"))
    (row,) = [row["cells"] for row in last["table"]["rows"] if row["cells"][0]["text"] == "held-out text: space"]
    assert [cell["value"] for cell in row[2:5]] == pytest.approx([a_space, b_space, a_space - b_space])
    early = delta_of(store, OWN, A=side("rnn", 0))
    assert "held-out" not in early[0]["words"] + str(early[-1]["table"])


def test_who_asks_anew_stops_the_reading_and_nothing_half_read_is_kept(store: Store):
    text, asked = OWN * 6, iter([True, False])
    answers = surprisal_difference.differences(store, ViewQuery(form={"text": text}), lambda: next(asked))
    assert len(told(answers)) == 1  # the second of the pieces was no longer wanted
    last = delta_of(store, text)[-1]
    assert len(last["bits"][0]) == len(text)


def test_the_figure_says_of_every_bar_how_many_characters_stand_behind_it(plain: Difference):
    panels = plain.by_kind(), plain.by_context()
    for width in (358, 900):
        drawn = figures.delta_bits_figure(panels, width).to_plotly_json()
        assert [list(bar["x"]) for bar in drawn["data"]] == [[g.delta_bits for g in panel] for panel in panels]
        errors = [list(bar["error_x"]["array"]) for bar in drawn["data"]]
        assert errors == [[g.error_bits or 0 for g in panel] for panel in panels]
        notes = " ".join(str(note["text"]) for note in drawn["layout"]["annotations"])
        words = figures.describe_delta_bits(panels)
        for group in (*panels[0], *panels[1]):
            count = f"{group.characters:,} character{'s' if group.characters > 1 else ''}"
            assert f"<b>{group.name}</b> {signed(group.delta_bits)} · {count}" in notes
            assert f"{group.name} {signed(group.delta_bits)} ({count})" in words
    assert [signed(bits) for bits in (0.12345, -2.0, 0.0001, -0.0)] == ["+0.123", "−2.000", "0.000", "0.000"]


# ------------------------------------------------------------------ in a browser


def test_a_text_is_coloured_by_what_separates_its_readers(context: BrowserContext, app: str, plain: Difference):
    page = open_compare(context, app)
    part = page.locator("#cr-delta")
    part.get_by_label("your own").fill(OWN)
    part.get_by_role("button", name="Read this").click()
    words = part.locator(".cr-plot-words")
    expect(words).to_contain_text(f"over {len(OWN)} characters of the text you typed or pasted", timeout=PATIENCE)
    expect(words).to_contain_text(f"Mean Δ = {signed(float(plain.delta_bits.mean()))} ")
    spans = part.locator(".cr-passage span")
    assert "".join(spans.all_text_contents()) == OWN

    def sentence(i: int) -> str:
        a, b, delta = (bits[i] for bits in (plain.a_bits, plain.b_bits, plain.delta_bits))
        sign = {" ": "␣", "\n": "⏎"}.get(OWN[i], OWN[i])
        what = f"“{sign}”, {kinds(OWN)[i]}, character {i + 1}"
        return f"{what}: A {a:.3f} bits, B {b:.3f} bits, Δ = {signed(delta)}"

    def assert_told(shown: str, i: int) -> None:
        """Word by word, its numbers to the last digit but one of float32 that was read at once."""
        for got, want in zip(shown.replace("\u00a0", " ").split(), sentence(i).split(), strict=True):
            try:
                assert float(got.replace("−", "-")) == pytest.approx(float(want.replace("−", "-")), abs=2.1e-3)
            except ValueError:
                assert got == want

    readout = part.locator(".cr-readout")
    largest = int(np.abs(plain.delta_bits).argmax())
    assert readout.inner_text().startswith("The largest difference: ")
    assert_told(readout.inner_text().removeprefix("The largest difference: "), largest)
    spans.nth(10).hover()
    assert_told(readout.inner_text(), 10)
    part.locator(".cr-passage").focus()
    for key, i in {"Home": 0, "ArrowRight": 1, "ArrowDown": 9, "End": len(OWN) - 1, "ArrowLeft": len(OWN) - 2}.items():
        page.keyboard.press(key)
        assert_told(part.locator("[role=status]").inner_text(), i)
        assert spans.nth(i).evaluate("span => span.classList.contains('cr-here')")
    strong = np.abs(plain.delta_bits) > 1.01
    lines = spans.evaluate_all("all => all.map((span) => [span.className, getComputedStyle(span).backgroundColor])")
    assert all(("cr-b-better" in lines[i][0]) == (plain.delta_bits[i] > 0) for i in np.flatnonzero(strong))
    assert all(("cr-a-better" in lines[i][0]) == (plain.delta_bits[i] < 0) for i in np.flatnonzero(strong))
    for i in np.flatnonzero(strong):
        red, _, blue = (int(channel) for channel in lines[i][1][4:-1].split(","))
        assert (red > blue) == (plain.delta_bits[i] > 0)  # orange above zero, blue below
    drawn = page.evaluate("document.querySelector('#cr-delta .cr-plot').data.map((bars) => [...bars.x])")
    for shown, groups in zip(drawn, (plain.by_kind(), plain.by_context()), strict=True):
        assert shown == pytest.approx([group.delta_bits for group in groups], abs=1e-4)
    part.locator("summary").click()
    row = part.locator("tbody tr").filter(has_text="letter within a word").locator("td")
    group = next(group for group in plain.by_kind() if group.name == "letter within a word")
    assert row.all_inner_texts()[0] == str(group.characters)

    part.locator('[data-side="B"]').get_by_label("model").select_option("rnn")
    expect(words).to_contain_text("No difference.", timeout=PATIENCE)
    part.get_by_role("button", name="Text of Write").click()
    there = page.evaluate("charrnn.live.text")
    over = f"over {len(there)} characters of the text of Write (7 given; 400 written by Vanilla RNN, step 2,000, "
    expect(words).to_contain_text(over, timeout=PATIENCE)
    expect(words).to_contain_text("A and B wrote this text", timeout=PATIENCE)
    assert part.get_by_label("your own").input_value() == there == "".join(spans.all_text_contents())
    part.get_by_role("button", name="Default text").click()
    expect(words).to_contain_text("a passage written by Best: GRU, 512 units, step", timeout=PATIENCE)
    expect(part.get_by_label("your own")).to_have_value("")


def test_on_a_telephone_in_the_dark_nothing_scrolls_sideways(browser: Browser, app: str):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, color_scheme="dark")
    page = open_compare(context, app)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    colours = page.locator("#cr-delta .cr-passage span").first.evaluate(
        "span => [getComputedStyle(span).color, getComputedStyle(document.querySelector('#cr-dice h2')).color]"
    )
    assert colours == ["rgb(255, 255, 255)", "rgb(236, 233, 227)"]
    context.close()
