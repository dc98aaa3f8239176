"""What axe-core finds on every tab, in every palette: nothing serious."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from scripts.dev.page_tour import names, rest, tour
from tests.ui.conftest import open_page

GRAVE = ("serious", "critical")
# Every character of a text is coloured by the same rule: the first lines stand for all, or it takes minutes.
BULK = ".cr-line:nth-child(n+4)"
REMOVE_BULK = "document.querySelectorAll('.cr-passage > :nth-child(n+4)').forEach((each) => each.remove())"
OPTIONS: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
COLOURS = {"runOnly": ["color-contrast"]}  # in the dark nothing else differs
SHAPES = {"rules": {"color-contrast": {"enabled": False}}}  # on a phone the colours are the same


def findings(page: Page, **options: Any) -> list[tuple[str, str, str]]:
    """(impact, rule, what breaks it) of everything grave that axe finds on the page as it stands."""
    page.evaluate(REMOVE_BULK)
    violations = Axe().run(page, options=OPTIONS | options).response["violations"]
    grave = [(each, node) for each in violations if each["impact"] in GRAVE for node in each["nodes"]]
    return [(each["impact"], each["id"], f"{node['target']} {node['failureSummary']}") for each, node in grave]


@pytest.fixture
def page(browser: Browser, app: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 1440, "height": 900})
    page = open_page(context, app + request.param)
    page.add_style_tag(content=BULK + " { display: none !important; }")
    yield page
    context.close()


@pytest.mark.parametrize("page", [""], indirect=True)
def test_nothing_grave_in_light_in_dark_and_on_a_phone(page: Page):
    found = {}
    seen = names(page)
    for tab in tour(page):
        found[tab, "light"] = findings(page)
        page.evaluate("document.body.classList.add('dark')")
        found[tab, "dark"] = findings(page, **COLOURS)
        page.evaluate("document.body.classList.remove('dark')")
        page.set_viewport_size({"width": 390, "height": 844})
        rest(page)
        found[tab, "phone"] = findings(page, **SHAPES)
        if tab == seen[0]:
            page.locator(".cr-open").click()
            found[tab, "drawer"] = findings(page)
            page.locator(".cr-close").click()
        page.set_viewport_size({"width": 1440, "height": 900})
    assert len(found) == 3 * len(seen) + 1 >= 13
    assert {place: what for place, what in found.items() if what} == {}


@pytest.mark.parametrize("page", ["?lecture=1&scene=1"], indirect=True)
def test_nothing_grave_in_a_lecture(page: Page):
    page.keyboard.press("r")
    found = {tab: findings(page) for tab in tour(page)}
    page.keyboard.press("?")
    found["keys"] = findings(page)
    assert {place: what for place, what in found.items() if what} == {}


@pytest.mark.smoke
@pytest.mark.parametrize("page", [""], indirect=True)
def test_what_is_grave_is_found(page: Page):
    page.evaluate(
        """() => {
            const planted = document.createElement("div");
            planted.innerHTML = '<img src="data:,"><p style="color: #bbb">pale words</p><button></button>';
            document.querySelector(".cr-live").append(planted);
        }"""
    )
    assert {(impact, rule) for impact, rule, _ in findings(page)} == {
        ("critical", "image-alt"),
        ("serious", "color-contrast"),
        ("critical", "button-name"),
    }
