"""Running apps, a Chromium, and pages that fail on errors and foreign requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from charrnn.bench.app_process import running_app
from charrnn.bench.page_speed import ALIVE
from charrnn.checkpoint import Checkpoint, load

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = ROOT / "checkpoints"
PATIENCE_MS = 120_000  # several models may be measured, on a busy machine
WIDE = ViewportSize(width=1440, height=900)
PHONE = ViewportSize(width=390, height=844)
BLANK = "about:blank"
# The choice of an earlier visit, on pages that have a storage.
SHOW_ALL_UNITS = "origin === 'null' || (localStorage['charrnn-all-units'] ??= 'on')"

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    """The bundled vanilla network."""
    return load(CHECKPOINTS / "rnn")


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an `app.py` on the bundled checkpoints."""
    no_corpus = tmp_path_factory.mktemp("app") / "no-corpus"
    with running_app(str(CHECKPOINTS), CHARRNN_CACHE=str(no_corpus), HF_HUB_OFFLINE="1") as address:
        yield address


@pytest.fixture(scope="session")
def trained_app(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an `app.py` on the small networks of `trained`."""
    no_corpus = str(tmp_path_factory.mktemp("app"))
    with running_app(str(trained), CHARRNN_CACHE=no_corpus, HF_HUB_OFFLINE="1") as address:
        yield address


@pytest.fixture(scope="session")
def browser(browser_path: Path) -> Iterator[Browser]:
    """A Chromium; it occupies the thread's event loop, so tests/ui comes last."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(browser_path), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_context(browser: Browser) -> BrowserContext:
    """One browser context for all files, with a shared cache; heatmaps show all units."""
    context = browser.new_context(viewport=WIDE, color_scheme="light")
    context.add_init_script(SHOW_ALL_UNITS)
    return context


@contextmanager
def checked(context: BrowserContext) -> Iterator[BrowserContext]:
    """Fail on foreign or blocked requests and uncaught errors; empty opened pages."""
    others = [page for page in context.pages if page.url != BLANK]
    errors: list[str] = []
    requests: list[str] = []
    handlers: dict[Any, Any] = {
        "request": lambda request: requests.append(request.url),
        "console": lambda message: errors.append(message.text) if is_blocked(message.text) else None,
        "weberror": lambda error: errors.append(str(error.error)),
    }
    for event, handler in handlers.items():
        context.on(event, handler)
    yield context
    for event, handler in handlers.items():
        context.remove_listener(event, handler)
    context.unroute_all()
    context.clear_permissions()
    first, *more = [page for page in context.pages if page not in others] or [context.new_page()]
    for page in more:
        page.close()
    first.unroute_all()
    first.goto(BLANK)
    assert requests
    assert [url for url in requests if _is_foreign(url)] == []
    assert not errors


@pytest.fixture
def context(shared_context: BrowserContext) -> Iterator[BrowserContext]:
    """The shared context, checked for one test."""
    with checked(shared_context) as context:
        yield context


@pytest.fixture(scope="module")
def file_context(shared_context: BrowserContext) -> Iterator[BrowserContext]:
    """The shared context, checked for one file: for a page that its tests share."""
    with checked(shared_context) as context:
        yield context


def is_blocked(message: str) -> bool:
    """Return whether a console message reports a block by the page's policy."""
    return "Content Security Policy" in message


def _is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", BLANK))


@pytest.fixture
def page(context: BrowserContext, app: str) -> Page:
    """The page of the bundled checkpoints with a text of the vanilla network."""
    return open_page(context, app + "?model=rnn")


def open_page(
    context: BrowserContext,
    address: str,
    size: ViewportSize = WIDE,
    scheme: Literal["light", "dark"] = "light",
    motion: Literal["reduce", "no-preference"] = "no-preference",
) -> Page:
    """Open the address in an idle or new page, and wait for the example text."""
    page = next((page for page in context.pages if page.url == BLANK), None) or context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.set_viewport_size(size)
    page.emulate_media(media="screen", color_scheme=scheme, reduced_motion=motion)
    page.goto(address)
    page.wait_for_function(ALIVE)
    return page


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")
