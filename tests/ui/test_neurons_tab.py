"""The tab Neurons: cards, leaderboard, pattern, one unit, gates."""

import json

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from charrnn.checkpoint import load
from charrnn.neurons import BestUnit, best_of_views, leaderboards_from_record, top_spans
from charrnn.number_format import percent
from charrnn.ui.neurons.leaderboard import TITLES
from charrnn.ui.server.named_units import name_of
from tests.ui.conftest import CHECKPOINTS, open_page
from tests.ui.page_actions import choose, set_slider, text

BOARD, UNIT, GATES = "#cr-units", "#cr-unit", "#cr-gates"

# The point of a gate's plot that is farthest from all others -> its unit and its place in the window.
MOST_ISOLATED_POINT = """(gate) => {
    const plot = document.querySelector("#cr-gates .cr-plot");
    const trace = plot._fullData.find((each) => each.name === gate);
    const [across, up] = ["x", "y"].map((axis) => plot._fullLayout[trace[axis + "axis"].replace(axis, axis + "axis")]);
    const at = (i) => [across._offset + across.d2p(trace.x[i]), up._offset + up.d2p(trace.y[i])];
    const places = Array.from(trace.x, (_, i) => at(i));
    const apart = (i, j) => Math.hypot(places[i][0] - places[j][0], places[i][1] - places[j][1]);
    const alone = (i) => Math.min(...places.map((_, j) => (i === j ? Infinity : apart(i, j))));
    const unit = places.map((_, i) => i).sort((a, b) => alone(b) - alone(a))[0];
    const { left, top } = plot.getBoundingClientRect();
    return [unit, left + places[unit][0], top + places[unit][1]];
}"""


def bundled_leaderboard(name: str) -> list[tuple[str, BestUnit]]:
    """The stored best units over all views, in the order of the table."""
    boards = leaderboards_from_record(load(CHECKPOINTS / name).info.analyses.sections["units"]).boards
    return best_of_views(boards.values())


def rows(page: Page) -> list[list[str]]:
    return page.locator(f"{BOARD} tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )


def unit_text(page: Page) -> str:
    """The text of the part on one unit."""
    return page.evaluate(f"[...document.querySelectorAll('{UNIT} .cr-passage span')].map(e => e.textContent).join('')")


def expect_unit(page: Page, view: str, unit: int) -> None:
    expect(page.locator(f"{UNIT} h2")).to_contain_text(f"Unit {unit} of the ")
    assert page.evaluate("charrnn.selectedUnit") == {"view": view, "unit": unit}


@pytest.mark.smoke
def test_leaderboard_opens_a_unit_and_its_spans(context: BrowserContext, app: str):
    page = open_page(context, app + "?model=gru&tab=neurons")
    best = bundled_leaderboard("gru")
    cards = page.locator(f"{BOARD} .cr-card")
    expect(cards.locator(".cr-card-line")).to_have_count(12)
    for card, (view, one) in zip(cards.all(), best[:6], strict=True):
        expect(card.locator(".cr-card-head")).to_have_text(f"{name_of(one)}unit {one.unit} of {view}")
        expect(card.locator(".cr-card-score")).to_have_text(f"{one.held_out_text}untrained {one.percentile:.2f}")
    expect_unit(page, best[0][0], best[0][1].unit)  # the best one is selected at first
    expect(cards.first).to_have_attribute("aria-pressed", "true")
    place, second = next((view, one) for view, one in best if (view, one.unit) != (best[0][0], best[0][1].unit))
    cards.filter(has_text=name_of(second)).first.click()
    expect_unit(page, place, second.unit)
    expect(page.locator(f"{UNIT} .cr-plot-words")).to_contain_text(f"{name_of(second)}, {second.held_out_text}")
    expect(page.locator(UNIT)).to_be_in_viewport()
    expect(page.locator("#cr-clamp .cr-cost")).to_contain_text("bits per character")
    assert page.evaluate("document.documentElement.scrollHeight") <= 2200

    page.get_by_text("All 22", exact=True).click()
    assert page.locator(f"{BOARD} thead th").all_text_contents() == list(TITLES)
    for row, (view, one) in zip(rows(page), best, strict=True):
        assert (row[0], row[2]) == (one.concept, f"{view} {one.unit}")
        assert row[4:7] == [f"{one.train:.2f}", one.held_out_text, f"{one.percentile:.2f}"]
        assert (row[8] == "none") == (not one.found)
    page.get_by_role("button", name="held out").click()
    scores = [float(row[5].partition(" ")[0]) for row in rows(page)]
    assert scores == pytest.approx(sorted(scores), abs=0.011)  # of two or three digits

    trained = load(CHECKPOINTS / "gru")
    passage = unit_text(page)
    values = trained.model.decoder().read(trained.vocab.encode(passage)).activations[place][:, second.unit]
    spans = top_spans(passage, values)
    page.get_by_text("Where it is highest and lowest").click()
    listed = page.locator(f"{UNIT} .cr-spans section").first.locator("li mark").all_text_contents()
    assert listed == [span.text.replace("\n", "⏎") for span in spans]
    page.locator(f"{UNIT} .cr-spans button").nth(1).click()
    at = spans[1].first
    expect(page.locator(f"{UNIT} .cr-readout")).to_contain_text(f"character {at + 1:,}: ")
    assert f"{values[at]:.2f}".replace("-", "−") in (page.locator(f"{UNIT} .cr-readout").text_content() or "")
    heights = json.loads(page.evaluate(f"JSON.stringify(document.querySelector('{UNIT} .cr-plot').data[0].y)"))
    np.testing.assert_array_equal(heights, np.histogram(values, 48, (-1, 1))[0])

    most, least = int(values.argmax()), int(values.argmin())
    colors = page.evaluate(
        "([a, b]) => [...document.querySelectorAll('#cr-unit .cr-passage span')].filter((_, i) => i === a || i === b)"
        ".map(e => [e.position, e.style.background])",
        [most, least],
    )
    assert len({color for _, color in colors}) == 2
    page.locator(f"{GATES} summary").first.click()
    expect(page.locator(f"{GATES} .cr-plot-words")).to_contain_text("Update gate z: shut ")
    page.locator(f"{GATES} .main-svg").first.scroll_into_view_if_needed()
    unit, x, y = page.evaluate(MOST_ISOLATED_POINT, "z")
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    expect_unit(page, "z", unit)


def test_pattern_joins_the_leaderboard_or_shows_its_error(context: BrowserContext, app: str):
    page = open_page(context, app + "?tab=neurons&unit=h:9")
    expect_unit(page, "h", 9)
    field = page.get_by_label("test your own pattern")
    field.fill("a(b")
    field.press("Enter")
    error = page.locator(".cr-pattern-error")
    expect(error).to_contain_text("“(” is never closed")
    expect(error.locator("mark")).to_have_text("(")
    field.fill("(a|a)*(a+)+(<b>x</b>)$")
    page.get_by_text("Use another text").click()
    own = page.locator(f"{BOARD} textarea")
    own.fill(("a" * 59 + "\n") * 150)
    field.press("Enter")
    expect(error).to_contain_text("Stopped after 2 s")

    passage = text(page)
    field.fill("(?i)[aeiou]")
    page.get_by_role("button", name="Use my text from Write").first.click()
    expect(page.locator(f"{BOARD} .cr-card").first).to_contain_text("your pattern: (?i)[aeiou]")
    expect(error).to_be_hidden()
    by_concept = {each[0]: each for each in rows(page)}
    assert by_concept["your pattern"][2:7] == by_concept["vowel"][2:7]
    share = np.mean([c in "aeiouAEIOU" for c in passage])
    expect(page.locator(f"{BOARD} .cr-plot-words")).to_contain_text(
        f"matches {percent(float(share), 1)} of {len(passage):,} characters"
    )

    page.wait_for_function(
        "text => [...document.querySelectorAll('#cr-unit .cr-passage span')].length === text.length", arg=passage
    )
    assert unit_text(page) == passage  # the text of Write, with which it shares the cursor
    page.locator(f"{UNIT} .cr-passage").focus()
    for key in ("Home", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    position = page.evaluate("document.querySelector('#cr-unit .cr-here').position")
    assert position == passage.index("\n") + 2 and page.evaluate("charrnn.live.cursor") == position

    page.get_by_role("tab", name="Write").click()
    page.locator(".cr-text").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("tab", name="Neurons").click()
    page.locator(f"{UNIT} .cr-passage").scroll_into_view_if_needed()
    page.wait_for_function(f"document.querySelector('#cr-unit .cr-here').position === {position + 1}")

    set_slider(page, "step", 1)
    expect(page.locator(f"{BOARD} .cr-plot-words")).to_contain_text("concepts have a unit")
    page.wait_for_function("charrnn.live.record.model.step === 10")
    set_slider(page, "step", page.evaluate("Number(document.querySelector('#cr-step').max)"))  # with saved scores
    choose(page, "lstm")
    view, best = bundled_leaderboard("lstm")[0]
    expect_unit(page, view, best.unit)  # not the unit of the other network
    page.locator(f"{UNIT} select").select_option("f")
    expect_unit(page, "f", best.unit)
    page.locator(f"{UNIT} [name=unit]").fill("256")
    page.locator(f"{UNIT} [name=unit]").press("Enter")
    expect_unit(page, "f", best.unit)  # there is no such unit
