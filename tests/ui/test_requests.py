"""Whatever a visitor does, the page asks nobody but the machine that serves it."""

from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext

from charrnn.ui.assets import served
from scripts.tour import names, open_tab, rest, unfold, use_all
from tests.ui.conftest import open_page
from tests.ui.page_actions import press

IN_TAB = ".cr-main [role=tabpanel]"


def origins(context: BrowserContext) -> tuple[set[str], set[str]]:
    """Filled as its pages go: whom they ask, and for which paths."""
    asked, paths = set[str](), set[str]()

    def note(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob"):
            asked.add(f"{parts.scheme}://{parts.netloc}/")
            paths.add(parts.path)

    context.on("request", lambda request: note(request.url))
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
    scripts = {f"/charrnn/{name}" for name in served()} - {"/charrnn/mount.js"}  # that one stands in the page itself
    assert scripts - paths == set(), "a part of the page stayed unused"
    context.close()


def test_a_request_that_leaves_is_noticed(browser: Browser, app: str):
    context = browser.new_context()
    asked, paths = origins(context)
    page = open_page(context, app)
    page.evaluate("fetch('http://elsewhere.invalid/font').catch(() => 0)")
    page.evaluate("void new WebSocket('ws://elsewhere.invalid:81/')")
    page.wait_for_timeout(300)
    assert asked == {app, "http://elsewhere.invalid/", "ws://elsewhere.invalid:81/"} and "/font" in paths
    context.close()
