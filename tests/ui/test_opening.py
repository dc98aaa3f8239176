"""The page without a link: a finding, the text it is about, three things to try."""

import re

from playwright.sync_api import BrowserContext, Page, expect

from charrnn.bench.page_speed import ALIVE
from charrnn.checkpoint import load
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.opening import Opening, find_opening
from tests.ui.conftest import CHECKPOINTS, PHONE, WIDE, open_page
from tests.ui.page_actions import choose, columns, generated, press, set_speed, text, wait_until_idle


def opened(context: BrowserContext, app: str) -> tuple[Page, Opening]:
    """Open the page without a link; return it and the opening that it should show."""
    opening = find_opening(Store(CHECKPOINTS))
    assert opening is not None
    return open_page(context, app), opening


def test_page_opens_on_a_text_colored_by_the_unit(context: BrowserContext, app: str):
    page, opening = opened(context, app)
    sentence = page.locator(".cr-opening-words")
    expect(sentence).to_have_text(opening.words()[0])
    expect(sentence).to_be_in_viewport()
    expect(page.locator(".cr-line span").first).to_be_in_viewport()
    checkpoint = load(CHECKPOINTS / opening.info.name)
    assert text(page) == generated(checkpoint, "ROMEO:\n", 400, 7)
    page.wait_for_function("document.querySelector('.cr-line span').style.background")
    fills = page.locator(".cr-line span").evaluate_all("all => all.map(s => getComputedStyle(s).backgroundColor)")
    for value, fill in zip(columns(page)[:, opening.best.unit], fills, strict=True):
        red, _, blue = map(int, re.findall(r"\d+", fill)[:3])
        assert abs(value) < 0.2 or (red > blue) == (value > 0)
    page.set_viewport_size(PHONE)
    expect(page.get_by_role("button", name="Change a letter")).to_be_in_viewport()
    page.set_viewport_size(WIDE)
    page.reload()
    page.wait_for_function(ALIVE)
    expect(sentence).to_be_visible()


def test_another_network_is_colored_by_its_unit_of_the_concept(context: BrowserContext, app: str):
    page, opening = opened(context, app)
    store = Store(CHECKPOINTS)

    def concept(name: str, view: str, unit: int) -> str | None:
        named = store.load(name).view(view).named
        return next((each.name for each in named.units if each.unit == unit), None) if named else None

    expected = concept(opening.info.name, "c", opening.best.unit)
    named = store.load("best").view("c").named
    assert expected and named
    unit = next(each.unit for each in named.units if each.name == expected)
    choose(page, "best")
    expect(page.locator(".cr-color-key b")).to_have_text(f"unit {unit}")
    choose(page, "rnn")  # h has no such unit
    expect(page.locator(".cr-coloring [aria-pressed=true]")).to_have_text("none")


def test_opening_shows_the_untrained_network_and_leaves(context: BrowserContext, app: str):
    page, opening = opened(context, app)
    box, first = page.locator(".cr-opening"), text(page)
    page.locator("#cr-again").uncheck()  # which the button does not need
    set_speed(page, 0)
    page.get_by_role("button", name="See it untrained").click()
    page.wait_for_function("charrnn.live.record.model.step === 0 && charrnn.state === 'finished'")
    wait_until_idle(page)
    assert text(page) == generated(load(CHECKPOINTS / opening.info.name, 0), "ROMEO:\n", 400, 7) != first
    expect(box).to_contain_text("Untrained")
    expect(page.locator("#cr-step")).to_have_attribute("aria-valuetext", "0 steps (untrained)")
    expect(page.locator(".cr-model-facts")).to_contain_text("fully trained: ")
    expect(page.locator(".cr-color-key")).to_contain_text("once trained: ")
    page.get_by_role("button", name="Back to trained").click()
    page.wait_for_function("charrnn.live.record.model.step > 0 && charrnn.state === 'finished'")
    wait_until_idle(page)
    assert text(page) == first
    expect(box).to_contain_text(opening.words()[0])
    spans = page.locator(".cr-line span")
    assert all(spans.evaluate_all("all => all.map((span) => span.style.background)"))  # the largest value too
    press(page, "new")
    wait_until_idle(page)
    seed = int(page.locator("#cr-seed").input_value())
    assert text(page) == generated(load(CHECKPOINTS / opening.info.name), "ROMEO:\n", 400, seed) != first
    expect(box).to_contain_text("Another text by the same network")


def test_linked_text_has_an_opening_of_its_own(context: BrowserContext, app: str):
    page = open_page(context, app + "?model=gru&prompt=JULIET:&characters=40")
    box = page.locator(".cr-opening")
    expect(box.locator("p").first).to_have_text("A small neural network writes this text, one letter at a time.")
    expect(box.locator("button:visible")).to_have_text(["Change a letter", "Your own text"])
    press(page, "clear")
    expect(box).to_be_hidden()


def test_opening_leads_to_letters_and_own_texts(context: BrowserContext, app: str):
    page, _ = opened(context, app)
    before = text(page)
    page.get_by_role("button", name="Change a letter").click()
    position = before.index(" ", len("ROMEO:\n")) + 1
    expect(page.locator(".cr-alternatives")).to_contain_text(before[position])
    expect(page.locator(".cr-alternatives button").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".cr-opening")).to_contain_text("You chose a letter")
    page.wait_for_function("charrnn.live.record.edits.length === 1")
    page.set_viewport_size(PHONE)
    page.goto(app)
    page.wait_for_function(ALIVE)
    page.get_by_role("button", name="Your own text").click()
    expect(page.locator("#cr-passage")).to_be_focused()
    expect(page.get_by_role("button", name="Let the network read it")).to_be_in_viewport()
