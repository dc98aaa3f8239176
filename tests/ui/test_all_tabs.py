"""
Visit every tab (light, dark, narrow, lecture) and use every control.

Checks axe-core's findings, accessible names, horizontal overflow and requests to other hosts.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from charrnn.ui.server.page_response import PAGE_ADDRESS
from charrnn.ui.server.static_files import served
from scripts.dev.visit_tabs import names, open_tab, rest, tour, unfold
from tests.replaced_phrases import replaced_phrases
from tests.ui.conftest import BLANK, PHONE, WIDE, is_blocked, open_page, overflow
from tests.ui.page_actions import press

pytestmark = pytest.mark.timeout(900)

REPORTED_IMPACTS = ("serious", "critical")
# All characters of a text are colored by one rule: three lines represent them, which saves minutes.
HIDE_LONG_TEXT = ".cr-line:nth-child(n+4) { display: none !important; }"
REMOVE_LONG_TEXT = "document.querySelectorAll('.cr-passage > :nth-child(n+4)').forEach((each) => each.remove())"
OPTIONS: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
ONLY_CONTRAST = {"runOnly": ["color-contrast"]}  # all that the dark palette and a lecture change
ALL_BUT_CONTRAST = {"rules": {"color-contrast": {"enabled": False}}}  # a phone has the same colors
NAMELESS_CONTROLS = """[...document.querySelectorAll('.cr-page :is(button, input, select, textarea, [tabindex="0"])')]
    .filter((e) => e.offsetParent && !e.textContent.trim() && !e.getAttribute('aria-label'))
    .filter((e) => !(e.labels && e.labels.length))
    .map((e) => e.outerHTML)"""
# All words of the page, also those of its lists, names and tooltips.
WORDS = """() => [document.body.textContent, ...["title", "aria-label", "placeholder"].flatMap((name) =>
    [...document.querySelectorAll(`[${name}]`)].map((each) => each.getAttribute(name)))].join("\\n")"""
# Colors that are data and that a contrast theme would replace: those of inline styles, and of empty <i>.
REPLACED_COLORS = """() => [...document.querySelectorAll('.cr-page :is([style*="background"], i:empty)')]
    .filter((e) => {
        const { forcedColorAdjust, backgroundColor, backgroundImage } = getComputedStyle(e);
        const isFilled = !backgroundColor.endsWith(", 0)") || backgroundImage !== "none";
        return e.getClientRects().length && isFilled && forcedColorAdjust !== "none";
    })
    .map((e) => `${e.parentElement.className} > ${e.localName}`)"""
# Clicks every visible button and box below a root, sets every list and slider to its end -> the names of all.
USE_CONTROLS = """async (root) => {
    const usable = (element) => element.isConnected && element.offsetParent !== null && !element.disabled;
    const used = [];
    for (const control of document.querySelectorAll(`${root} :is(button, select, input)`)) {
        if (!usable(control)) continue;
        const name = control.ariaLabel || control.textContent.trim() || control.value || control.id;
        const set = (value, event) => {
            control.value = value;
            control.dispatchEvent(new Event(event, { bubbles: true }));
        };
        if (control.matches("select")) set(control.options[control.options.length - 1].value, "change");
        else if (control.matches("[type=range]")) set(control.max, "input");
        else if (control.matches("button, [type=checkbox], [type=radio]")) control.click();
        else continue;
        used.push(name);
        await new Promise((done) => setTimeout(done, 60));
        document.querySelector("dialog[open]")?.close();
    }
    return used;
}"""
REQUEST_OTHER_HOSTS = """() => Promise.allSettled([
    fetch("http://elsewhere.invalid/font"),
    new Promise((resolve) => Object.assign(new Image(), { onerror: resolve, src: "//elsewhere.invalid/i" })),
    import("http://elsewhere.invalid/script.js"),
    new Promise((resolve) => (new WebSocket("ws://elsewhere.invalid:81/").onerror = resolve)),
])"""


@dataclass
class TourResult:
    """
    The findings of a tour.

    words: all of the page by tab; replaced_colors: elements by tab; violations: (impact, rule, element) by tab and
    mode; overflow: pixels by tab and window width.
    """

    tabs: list[str] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    replaced_colors: dict[str, list[str]] = field(default_factory=dict)
    violations: dict[tuple[str, str], list[tuple[str, str, str]]] = field(default_factory=dict)
    nameless: dict[str, list[str]] = field(default_factory=dict)
    overflow: dict[tuple[str, int], int] = field(default_factory=dict)
    used_controls: dict[str, list[str]] = field(default_factory=dict)
    origins: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)


def find_violations(page: Page, **options: Any) -> list[tuple[str, str, str]]:
    """Run axe-core -> (impact, rule, element) of each serious or critical violation."""
    page.evaluate(REMOVE_LONG_TEXT)
    violations = Axe().run(page, options=OPTIONS | options).response["violations"]
    return [
        (violation["impact"], violation["id"], f"{node['target']} {node['failureSummary']}")
        for violation in violations
        if violation["impact"] in REPORTED_IMPACTS
        for node in violation["nodes"]
    ]


def record_requests(context: BrowserContext) -> tuple[set[str], set[str]]:
    """Return sets that collect the origins (or block messages) and paths of requests."""
    origins, paths = set[str](), set[str]()

    def record(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob"):
            origins.add(f"{parts.scheme}://{parts.netloc}/")
            paths.add(parts.path)

    context.on("request", lambda request: record(request.url))
    context.on("console", lambda message: origins.add(message.text) if is_blocked(message.text) else None)
    context.on("page", lambda page: page.on("websocket", lambda socket: record(socket.url)))
    return origins, paths


def visit_tabs(page: Page, result: TourResult) -> None:
    """Examine every tab in light, in dark, and in narrow windows."""
    result.tabs = names(page)
    for tab in tour(page):
        result.words[tab] = page.evaluate(WORDS)
        page.emulate_media(forced_colors="active")
        result.replaced_colors[tab] = page.evaluate(REPLACED_COLORS)
        page.emulate_media(forced_colors="none")
        result.violations[tab, "light"] = find_violations(page)
        result.nameless[tab] = page.evaluate(NAMELESS_CONTROLS)
        page.evaluate("document.body.classList.add('dark')")
        result.violations[tab, "dark"] = find_violations(page, **ONLY_CONTRAST)
        page.evaluate("document.body.classList.remove('dark')")
        for width in (1024, 768, 360):
            page.set_viewport_size({"width": width, "height": PHONE["height"]})
            rest(page)
            result.overflow[tab, width] = overflow(page)
        result.violations[tab, "phone"] = find_violations(page, **ALL_BUT_CONTRAST)
        if tab == result.tabs[0]:
            page.locator(".cr-open").click()
            result.violations[tab, "drawer"] = find_violations(page)
            page.locator(".cr-close").click()
        page.set_viewport_size(WIDE)


def visit_lecture(page: Page, result: TourResult) -> None:
    """Examine every tab of a lecture and use all its controls, those of Write last."""
    for tab in (*result.tabs[1:], result.tabs[0]):
        open_tab(page, tab)
        unfold(page)
        result.violations[tab, "lecture"] = find_violations(page, **ONLY_CONTRAST)
        result.used_controls[tab] = use_controls(page, ".cr-main [role=tabpanel]")
    result.used_controls["sidebar"] = use_controls(page, ".cr-aside")
    press(page, "write")
    rest(page)


def visit_scene(page: Page, result: TourResult) -> None:
    """Examine a revealed scene and the list of keys."""
    page.keyboard.press("r")
    rest(page)
    result.words["scene"] = page.evaluate(WORDS)
    result.violations["scene", "lecture"] = find_violations(page)
    page.keyboard.press("?")
    result.violations["keys", "lecture"] = find_violations(page)


def use_controls(page: Page, root: str) -> list[str]:
    """Use every visible control below `root` once -> their names."""
    used = page.evaluate(USE_CONTROLS, root)
    rest(page)
    return used


@pytest.fixture(scope="module")
def result(browser: Browser, trained_app: str) -> TourResult:
    """The findings of one tour on small networks, which are fast to measure."""
    context = browser.new_context(viewport=WIDE)
    origins, paths = record_requests(context)
    page, result = context.new_page(), TourResult(origins=origins, paths=paths)
    for visit, query in (
        (visit_tabs, ""),
        (visit_lecture, "?lecture=1&tab=write"),
        (visit_scene, "?lecture=1&scene=1"),
    ):
        page.goto(BLANK)
        page = open_page(context, trained_app + query, motion="reduce")
        page.add_style_tag(content=HIDE_LONG_TEXT)
        visit(page, result)
    context.close()
    return result


def test_axe_finds_nothing_serious(result: TourResult):
    assert len(result.violations) == 4 * len(result.tabs) + 3 == 27
    assert {place: found for place, found in result.violations.items() if found} == {}


def test_replaced_phrases_are_on_no_tab(result: TourResult):
    """In the words of the server's answers too."""
    assert "Frozen at its average" in result.words["Neurons"] and "Same random numbers" in result.words["scene"]
    found = {place: replaced_phrases(words) for place, words in result.words.items()}
    assert len(found) == len(result.tabs) + 1 and {place: phrases for place, phrases in found.items() if phrases} == {}


def test_contrast_themes_leave_data_its_colors(result: TourResult):
    assert {tab: sorted(set(found)) for tab, found in result.replaced_colors.items() if found} == {}


def test_every_control_has_a_name(result: TourResult):
    assert result.nameless == {tab: [] for tab in result.tabs}


def test_no_tab_scrolls_sideways(result: TourResult):
    assert {place: pixels for place, pixels in result.overflow.items() if pixels > 0} == {}


def test_no_request_leaves_the_server(result: TourResult, trained_app: str):
    """While every control of every tab is used."""
    assert {"New text", "Copy link", "Clear the text"} <= {*result.used_controls["sidebar"]}
    assert "PNG" in result.used_controls["Write"] and "Measure on this server" in result.used_controls["Under the hood"]
    few = {place for place, used in result.used_controls.items() if len(used) <= 5}
    assert few == {"Lab sheet"} and result.used_controls["Lab sheet"]  # the first of its links leaves it
    assert result.origins == {trained_app}


def test_every_script_is_used(result: TourResult):
    of_app = (name for name in served() if not name.startswith("site/"))  # those are of the page without a server
    inlined = {"/charrnn/components/load_view.js", f"/charrnn/{PAGE_ADDRESS}"}
    assert {f"/charrnn/{name}" for name in of_app} - inlined - result.paths == set()


@pytest.mark.smoke
def test_axe_finds_planted_faults(context: BrowserContext, trained_app: str):
    page = open_page(context, trained_app)
    page.add_style_tag(content=HIDE_LONG_TEXT)
    page.evaluate(
        """() => {
            const planted = document.createElement("div");
            planted.innerHTML = '<img src="data:,"><p style="color: #bbb">pale words</p><button></button>';
            document.querySelector(".cr-live").append(planted);
        }"""
    )
    assert {(impact, rule) for impact, rule, _ in find_violations(page)} == {
        ("critical", "image-alt"),
        ("serious", "color-contrast"),
        ("critical", "button-name"),
    }


def test_requests_to_other_hosts_are_recorded(browser: Browser, trained_app: str):
    context = browser.new_context(bypass_csp=True)
    origins, paths = record_requests(context)
    open_page(context, trained_app).evaluate(REQUEST_OTHER_HOSTS)
    assert origins == {trained_app, "http://elsewhere.invalid/", "ws://elsewhere.invalid:81/"}
    assert {"/font", "/i", "/script.js"} <= paths
    context.close()


def test_browser_blocks_requests_to_other_hosts(browser: Browser, trained_app: str):
    context = browser.new_context()
    origins, _ = record_requests(context)
    page = open_page(context, trained_app)
    assert origins == {trained_app}
    page.evaluate(REQUEST_OTHER_HOSTS)
    messages = [text for text in origins if is_blocked(text)]
    for address in ("http://elsewhere.invalid/font", "/i'", "script.js", "ws://elsewhere.invalid:81/"):
        assert [text for text in messages if address in text], (address, messages)
    context.close()
