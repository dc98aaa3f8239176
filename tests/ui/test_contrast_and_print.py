"""Forced colors keep marks of data and states; print has whole, light texts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.ui.conftest import open_page
from tests.ui.page_actions import press, wait_until_idle

# By selector, what would be lost: a background color or gradient that the system's would replace.
DATA = (
    ".cr-track .cr-tempered",
    ".cr-bar",
    ".cr-scale i",
    ".cr-line span[style*=background]",
    "#cr-temperature",
)
BACKGROUND = """(selector) => {
    const style = getComputedStyle(document.querySelector(selector));
    return [style.forcedColorAdjust, style.backgroundColor, style.backgroundImage];
}"""


@pytest.fixture
def forced(context: BrowserContext, app: str) -> Iterator[Page]:
    """The page in forced colors."""
    page = open_page(context, app + "?characters=60")
    page.emulate_media(forced_colors="active")
    yield page
    page.emulate_media(forced_colors="none")


def test_colors_that_are_data_stay_in_forced_colors(forced: Page):
    forced.evaluate("charrnn.emit('color-by-unit', { unit: 3, position: 20 })")
    forced.wait_for_selector(".cr-line span[style*=background]")
    canvas = forced.evaluate("getComputedStyle(document.body).backgroundColor")
    for selector in DATA:
        adjust, color, image = forced.evaluate(BACKGROUND, selector)
        assert adjust == "none", selector
        assert selector == "#cr-temperature" or color not in (canvas, "rgba(0, 0, 0, 0)") or image != "none", selector


def test_states_have_marks_in_forced_colors(forced: Page):
    style = "(element, name) => getComputedStyle(element)[name]"
    assert forced.locator(".cr-line .cr-cursor").evaluate(style, "outlineStyle") == "solid"
    borders = [tab.evaluate(style, "borderBottomColor") for tab in forced.get_by_role("tab").all()]
    assert len(set(borders[1:])) == 1 and borders[0] != borders[1]
    pressed, other = (
        forced.locator(f".cr-switch button[aria-pressed={is_pressed}]").first for is_pressed in ("true", "false")
    )
    assert pressed.evaluate(style, "backgroundColor") != other.evaluate(style, "backgroundColor")


def test_a_long_text_is_printed_whole_and_in_light_colors(context: BrowserContext, app: str):
    page = open_page(context, app + "?characters=1500&speed=0", scheme="dark")
    press(page, "write")
    wait_until_idle(page)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    hidden = "(text) => text.scrollHeight - text.clientHeight"
    assert page.locator(".cr-line span").count() >= 1500 and page.locator(".cr-text").evaluate(hidden) == 0
    assert not page.locator(".cr-left").first.is_visible() and not page.locator("body.dark").count()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("body.dark").count() == 1
