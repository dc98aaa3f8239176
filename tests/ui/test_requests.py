"""Whatever a visitor does, the page asks nobody but the machine that serves it."""

from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page

from charrnn.ui.server.static_files import served
from scripts.dev.page_tour import names, open_tab, rest, unfold
from tests.ui.conftest import is_kept_back, open_page
from tests.ui.page_actions import press

IN_TAB = ".cr-main [role=tabpanel]"
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


def use_all(page: Page, root: str) -> list[str]:
    """Press every button and move every control in sight below `root`, once each -> their names."""
    used = page.evaluate(USE, root)
    rest(page)
    return used


def origins(context: BrowserContext) -> tuple[set[str], set[str]]:
    """Filled as its pages go: whom they ask, and for which paths."""
    asked, paths = set[str](), set[str]()

    def note(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob"):
            asked.add(f"{parts.scheme}://{parts.netloc}/")
            paths.add(parts.path)

    context.on("request", lambda request: note(request.url))
    context.on("console", lambda told: asked.add(told.text) if is_kept_back(told.text) else None)
    context.on("page", lambda page: page.on("websocket", lambda socket: note(socket.url)))
    return asked, paths


def test_no_request_leaves_the_machine_while_every_control_of_every_tab_is_used(browser: Browser, app: str):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    asked, paths = origins(context)
    page = open_page(context, app + "?lecture=1")
    unfold(page)
    used = {"": use_all(page, ".cr-aside")}
    press(page, "write")
    rest(page)
    for tab in names(page):
        open_tab(page, tab)
        unfold(page)
        used[tab] = use_all(page, IN_TAB)
    assert {"Next PgDn", "Write space", "Copy link", "Clear"} <= {*used[""]}
    assert "PNG" in used["Write"] and "Time it" in used["Under the hood"]
    assert all(len(each) > 5 for each in used.values()), used
    assert asked == {app}
    in_the_page = {"/charrnn/components/mount.js"}
    scripts = {f"/charrnn/{name}" for name in served()} - in_the_page
    assert scripts - paths == set(), "a part of the page stayed unused"
    context.close()


LEAVING = """() => Promise.allSettled([
    fetch("http://elsewhere.invalid/font"),
    new Promise((resolve) => Object.assign(new Image(), { onerror: resolve, src: "//elsewhere.invalid/i" })),
    import("http://elsewhere.invalid/script.js"),
    new Promise((resolve) => (new WebSocket("ws://elsewhere.invalid:81/").onerror = resolve)),
]).then((all) => all.length)"""


def test_a_request_that_leaves_is_noticed(browser: Browser, app: str):
    context = browser.new_context(bypass_csp=True)
    asked, paths = origins(context)
    page = open_page(context, app)
    page.evaluate(LEAVING)
    assert asked == {app, "http://elsewhere.invalid/", "ws://elsewhere.invalid:81/"}
    assert {"/font", "/i", "/script.js"} <= paths
    context.close()


def test_the_browser_itself_keeps_the_page_from_asking_anyone_else(browser: Browser, app: str):
    context = browser.new_context()
    asked, _ = origins(context)
    page = open_page(context, app)
    assert asked == {app}
    page.evaluate(LEAVING)
    told = [text for text in asked if is_kept_back(text)]
    for what in ("http://elsewhere.invalid/font", "/i'", "script.js", "ws://elsewhere.invalid:81/"):
        assert [text for text in told if what in text], (what, told)
    context.close()
