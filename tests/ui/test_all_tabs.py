"""One tour of every tab, plain, dark, narrow and in a lecture, then every control: what axe finds, widths, requests."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from charrnn.ui.server.static_files import served
from scripts.dev.visit_tabs import names, open_tab, rest, tour, unfold
from tests.ui.conftest import BLANK, PHONE, WIDE, is_blocked, open_page, overflow
from tests.ui.page_actions import press

pytestmark = pytest.mark.timeout(900)

GRAVE = ("serious", "critical")
# Every character of a text is colored by the same rule: the first lines stand for all, or it takes minutes.
HIDE_BULK = ".cr-line:nth-child(n+4) { display: none !important; }"
REMOVE_BULK = "document.querySelectorAll('.cr-passage > :nth-child(n+4)').forEach((each) => each.remove())"
OPTIONS: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
COLORS = {"runOnly": ["color-contrast"]}  # in the dark and in a lecture nothing else differs
SHAPES = {"rules": {"color-contrast": {"enabled": False}}}  # on a phone the colors are the same
NAMELESS = """[...document.querySelectorAll('.cr-page :is(button, input, select, textarea, [tabindex="0"])')]
    .filter((e) => e.offsetParent && !e.textContent.trim() && !e.getAttribute('aria-label'))
    .filter((e) => !(e.labels && e.labels.length))
    .map((e) => e.outerHTML)"""
USE = """async (root) => {
    const seen = (element) => element.isConnected && element.offsetParent !== null && !element.disabled;
    const used = [];
    for (const control of document.querySelectorAll(`${root} :is(button, select, input)`)) {
        if (!seen(control)) continue;
        const name = control.ariaLabel || control.textContent.trim() || control.value || control.id;
        const changed = (value, event) => {
            control.value = value;
            control.dispatchEvent(new Event(event, { bubbles: true }));
        };
        if (control.matches("select")) changed(control.options[control.options.length - 1].value, "change");
        else if (control.matches("[type=range]")) changed(control.max, "input");
        else if (control.matches("button, [type=checkbox], [type=radio]")) control.click();
        else continue;
        used.push(name);
        await new Promise((done) => setTimeout(done, 60));
        document.querySelector("dialog[open]")?.close();
    }
    return used;
}"""
LEAVING = """() => Promise.allSettled([
    fetch("http://elsewhere.invalid/font"),
    new Promise((resolve) => Object.assign(new Image(), { onerror: resolve, src: "//elsewhere.invalid/i" })),
    import("http://elsewhere.invalid/script.js"),
    new Promise((resolve) => (new WebSocket("ws://elsewhere.invalid:81/").onerror = resolve)),
]).then((all) => all.length)"""


@dataclass
class Record:
    """What a tour noted, by tab and look."""

    tabs: list[str] = field(default_factory=list)
    violations: dict[tuple[str, str], list[tuple[str, str, str]]] = field(default_factory=dict)
    nameless: dict[str, list[str]] = field(default_factory=dict)
    overflow: dict[tuple[str, int], int] = field(default_factory=dict)
    used: dict[str, list[str]] = field(default_factory=dict)
    origins: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)


def violations(page: Page, **options: Any) -> list[tuple[str, str, str]]:
    """(impact, rule, element) of everything serious that axe finds on the page as it is."""
    page.evaluate(REMOVE_BULK)
    found = Axe().run(page, options=OPTIONS | options).response["violations"]
    grave = [(each, node) for each in found if each["impact"] in GRAVE for node in each["nodes"]]
    return [(each["impact"], each["id"], f"{node['target']} {node['failureSummary']}") for each, node in grave]


def note_requests(context: BrowserContext) -> tuple[set[str], set[str]]:
    """Sets that fill as the context's pages send requests: origins or messages of blocked requests, and paths."""
    origins, paths = set[str](), set[str]()

    def note(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob"):
            origins.add(f"{parts.scheme}://{parts.netloc}/")
            paths.add(parts.path)

    context.on("request", lambda request: note(request.url))
    context.on("console", lambda message: origins.add(message.text) if is_blocked(message.text) else None)
    context.on("page", lambda page: page.on("websocket", lambda socket: note(socket.url)))
    return origins, paths


def look(page: Page, record: Record) -> None:
    """Visit every tab: light, dark, and narrow."""
    record.tabs = names(page)
    for tab in tour(page):
        record.violations[tab, "light"] = violations(page)
        record.nameless[tab] = page.evaluate(NAMELESS)
        page.evaluate("document.body.classList.add('dark')")
        record.violations[tab, "dark"] = violations(page, **COLORS)
        page.evaluate("document.body.classList.remove('dark')")
        for width in (1024, 768, 360):
            page.set_viewport_size({"width": width, "height": PHONE["height"]})
            rest(page)
            record.overflow[tab, width] = overflow(page)
        record.violations[tab, "phone"] = violations(page, **SHAPES)
        if tab == record.tabs[0]:
            page.locator(".cr-open").click()
            record.violations[tab, "drawer"] = violations(page)
            page.locator(".cr-close").click()
        page.set_viewport_size(WIDE)


def lecture(page: Page, record: Record) -> None:
    """Visit every tab of a lecture, use every control, Write's last: they change the text, and so all measurements."""
    for tab in tour(page):
        record.violations[tab, "lecture"] = violations(page, **COLORS)
    for tab in (*record.tabs[1:], record.tabs[0]):
        open_tab(page, tab)
        unfold(page)
        record.used[tab] = use_all(page, ".cr-main [role=tabpanel]")
    record.used[""] = use_all(page, ".cr-aside")
    press(page, "write")
    rest(page)


def scene(page: Page, record: Record) -> None:
    """Reveal the answer of a scene; list the keys."""
    page.keyboard.press("r")
    rest(page)
    record.violations["scene", "lecture"] = violations(page)
    page.keyboard.press("?")
    record.violations["keys", "lecture"] = violations(page)


def use_all(page: Page, root: str) -> list[str]:
    """Press every button and move every control in sight below `root`, once each -> their names."""
    used = page.evaluate(USE, root)
    rest(page)
    return used


@pytest.fixture(scope="module")
def record(browser: Browser, app: str) -> Record:
    """What one tour of the page noted."""
    context = browser.new_context(viewport=WIDE)
    origins, paths = note_requests(context)
    page, record = context.new_page(), Record(origins=origins, paths=paths)
    for visit, query in ((look, ""), (lecture, "?lecture=1"), (scene, "?lecture=1&scene=1")):
        page.goto(BLANK)
        page = open_page(context, app + query, motion="reduce")
        page.add_style_tag(content=HIDE_BULK)
        visit(page, record)
    context.close()
    return record


def test_axe_finds_nothing_serious(record: Record):
    assert len(record.violations) == 4 * len(record.tabs) + 3 >= 23
    assert {place: found for place, found in record.violations.items() if found} == {}


def test_every_control_has_a_name(record: Record):
    assert record.nameless == {tab: [] for tab in record.tabs}


def test_no_tab_scrolls_sideways(record: Record):
    assert {place: pixels for place, pixels in record.overflow.items() if pixels > 0} == {}


def test_no_request_leaves_the_server(record: Record, app: str):
    """While every control of every tab is used."""
    assert {"Next PgDn", "Write space", "Copy link", "Clear"} <= {*record.used[""]}
    assert "PNG" in record.used["Write"] and "Time it" in record.used["Under the hood"]
    assert all(len(each) > 5 for each in record.used.values()), record.used
    assert record.origins == {app}


def test_every_script_is_used(record: Record):
    scripts = {f"/charrnn/{name}" for name in served()} - {"/charrnn/components/mount.js"}  # it is in the page
    assert scripts - record.paths == set()


@pytest.mark.smoke
def test_axe_finds_planted_faults(page: Page):
    page.add_style_tag(content=HIDE_BULK)
    page.evaluate(
        """() => {
            const planted = document.createElement("div");
            planted.innerHTML = '<img src="data:,"><p style="color: #bbb">pale words</p><button></button>';
            document.querySelector(".cr-live").append(planted);
        }"""
    )
    assert {(impact, rule) for impact, rule, _ in violations(page)} == {
        ("critical", "image-alt"),
        ("serious", "color-contrast"),
        ("critical", "button-name"),
    }


def test_requests_to_other_hosts_are_noted(browser: Browser, app: str):
    context = browser.new_context(bypass_csp=True)
    origins, paths = note_requests(context)
    open_page(context, app).evaluate(LEAVING)
    assert origins == {app, "http://elsewhere.invalid/", "ws://elsewhere.invalid:81/"}
    assert {"/font", "/i", "/script.js"} <= paths
    context.close()


def test_browser_blocks_requests_to_other_hosts(browser: Browser, app: str):
    context = browser.new_context()
    origins, _ = note_requests(context)
    page = open_page(context, app)
    assert origins == {app}
    page.evaluate(LEAVING)
    messages = [text for text in origins if is_blocked(text)]
    for what in ("http://elsewhere.invalid/font", "/i'", "script.js", "ws://elsewhere.invalid:81/"):
        assert [text for text in messages if what in text], (what, messages)
    context.close()
