"""Keyboard shortcuts: they act on the visible tab and the focused element only."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from charrnn.bench.page_speed import ALIVE
from tests.ui.conftest import open_page
from tests.ui.page_actions import open_options, set_speed, start_writing, text


@pytest.fixture
def page(context: BrowserContext, trained_app: str) -> Page:
    return open_page(context, trained_app)


def cursor(page: Page) -> int:
    return page.evaluate("charrnn.live.cursor")


def test_arrows_move_the_cursor_after_a_click_on_a_button(page: Page):
    last = len(text(page)) - 1
    open_options(page)
    page.get_by_role("button", name="by index").click()
    page.keyboard.press("ArrowLeft")
    assert cursor(page) == last - 1
    page.locator("#cr-prompt").focus()
    page.keyboard.press("ArrowLeft")
    page.locator("#cr-temperature").focus()
    page.keyboard.press("ArrowLeft")
    assert cursor(page) == last - 1


def test_keys_do_not_act_on_a_hidden_tab(page: Page):
    run, before = page.evaluate("charrnn.live.record.run"), cursor(page)
    page.get_by_role("tab", name="Gradients").click()
    expect(page.locator(".cr-plot .main-svg").first).to_be_visible()  # the first visit loads Plotly
    page.locator(".cr-explain").first.click()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(300)
    assert (page.evaluate("charrnn.state"), cursor(page)) == ("finished", before)
    assert page.evaluate("charrnn.live.record.run") == run


def test_changes_of_the_text_are_announced(page: Page):
    said = page.locator(".cr-announced")
    set_speed(page, 0)
    page.locator("#cr-again").uncheck()
    page.locator("#cr-model").select_option("gru")
    expect(said).to_have_text("GRU, step 12.")
    page.locator("#cr-model").select_option("rnn")
    expect(said).to_have_text("Vanilla RNN, step 12.")
    page.locator(".cr-text").focus()
    page.keyboard.press("Space")
    expect(said).to_contain_text("Finished: 407 characters.")
    set_speed(page, 5)
    page.locator(".cr-text").focus()
    page.keyboard.press("Space")
    expect(said).to_have_text("Writing.")
    page.wait_for_function("charrnn.live.drawn > 9")
    page.keyboard.press("Space")
    expect(said).to_have_text(re.compile(r"^Paused at \d+ characters\.$"))
    page.locator(".cr-likely tr").nth(2).click()
    expect(said).to_have_text(re.compile(r"^Branched at character \d+\. Writing\.$"))
    page.locator(".cr-text").focus()
    page.keyboard.press("Space")
    expect(said).to_contain_text("Paused at")
    page.keyboard.press("Control+z")
    expect(said).to_have_text("Another version of the text is back.")
    page.keyboard.press("2")
    expect(said).to_have_text("Tab Gradients.")


def test_controls_are_in_order_and_keys_can_be_switched_off(page: Page):
    order = page.evaluate("[...document.querySelectorAll('.cr-left button')].map((button) => button.textContent)")
    assert order[0] == "Skip to the tabs"
    expected = ["Write again space", "New text", "Clear the text", "Copy link", "Copy as Python"]
    assert [label for label in order if label in expected] == expected
    page.locator(".cr-line span").nth(text(page).index(" ") - 1).hover()
    expect(page.get_by_role("button", name="“space”, write it here")).to_be_visible()  # not “␣”
    for canvas in page.locator("canvas[tabindex='0']").all():  # which take the arrow keys
        expect(canvas).to_have_role("application")
    page.locator(".cr-skip").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Write")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Gradients")).to_be_focused()
    expect(page.get_by_role("tab", name="Gradients")).to_have_attribute("aria-selected", "true")
    order = page.evaluate("[...document.querySelectorAll('[role=tab]')].map((tab) => tab.tabIndex)")
    assert order == [-1, 0, -1, -1, -1, -1]
    page.keyboard.press("Home")
    expect(page.get_by_role("button", name="Write again", exact=True)).to_be_visible()  # without the name of its key
    page.locator(".cr-text").focus()
    page.keyboard.press("?")
    switch = page.get_by_role("checkbox", name="without Ctrl or Alt")
    assert switch.evaluate("e => getComputedStyle(e).appearance") == "auto"  # its tick is seen
    switch.uncheck()
    page.keyboard.press("Escape")
    page.locator(".cr-text").focus()
    for key in ("2", "?", "Space"):
        page.keyboard.press(key)
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    assert page.evaluate("charrnn.state") == "finished" and page.locator(".cr-text").is_visible()
    page.reload()
    page.wait_for_function(ALIVE)
    assert not page.locator("#cr-single-keys").is_checked()
    page.evaluate("localStorage.clear()")


def test_unit_selected_by_keys_is_marked_and_magnified(page: Page):
    lens = page.locator(".cr-lens")
    page.locator(".cr-canvas").focus()
    expect(lens).to_be_hidden()
    edge = "charrnn.live.map.canvas.getContext('2d').getImageData(1, 0, 1, 40).data.join()"
    page.keyboard.press("ArrowDown")
    first = page.evaluate(edge)
    for _ in range(10):
        page.keyboard.press("ArrowDown")
    assert page.evaluate(edge) != first
    expect(lens).to_be_visible()
    page.locator(".cr-text").focus()
    expect(lens).to_be_hidden()


def test_values_follow_running_text_below_the_pointer(page: Page):
    set_speed(page, 60)
    start_writing(page, at_least=130, characters=2000)
    page.locator(".cr-canvas").hover()
    shown = page.locator(".cr-values").inner_text()
    page.wait_for_function("(shown) => document.querySelector('.cr-values').textContent !== shown", arg=shown)
    expect(page.locator(".cr-lens")).to_be_visible()
    assert page.evaluate("charrnn.live.cursor - charrnn.live.map.from") == 60


def test_magnifier_works_with_few_units(page: Page):
    """With five rows the lens shows five, not thirteen."""
    page.evaluate("charrnn.live.map.rows = charrnn.live.map.rows.slice(0, 5); charrnn.live.map.measure()")
    page.locator(".cr-canvas").hover(position={"x": 400, "y": 20})
    assert page.locator(".cr-lens").evaluate("lens => lens.height / charrnn.live.map.ratio") == 5 * 14 + 20
