"""A running app on the bundled checkpoint, a real Chromium, and pages that fail on what a visitor should not see."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from charrnn.bench.page_speed import ALIVE, running_app
from charrnn.checkpoint import Checkpoint, load

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = ROOT / "checkpoints"
PATIENCE_MS = 30_000  # a machine may have much else to do

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    """The bundled vanilla network."""
    return load(CHECKPOINTS / "rnn")


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real `app.py`, started for these tests and ended after them."""
    no_corpus = tmp_path_factory.mktemp("app") / "no-corpus"
    with running_app(str(CHECKPOINTS), CHARRNN_CACHE=str(no_corpus), HF_HUB_OFFLINE="1") as address:
        yield address


@pytest.fixture(scope="module")
def browser(browser_path: Path) -> Iterator[Browser]:
    """Ended with its file: as long as Playwright lives, nothing else can run a loop in this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(browser_path), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One visitor. Whatever the pages ask of another host, are kept from asking, or throw, fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    errors: list[str] = []
    requests: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    context.on("console", lambda told: errors.append(told.text) if is_kept_back(told.text) else None)
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    assert requests
    assert [url for url in requests if _is_foreign(url)] == []
    assert not errors


def is_kept_back(told: str) -> bool:
    """Whether the console tells of something that the page's own policy did not let it ask for, or run."""
    return "Content Security Policy" in told


def _is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))


@pytest.fixture
def page(context: BrowserContext, app: str) -> Page:
    """The page with its example on it."""
    return open_page(context, app)


def open_page(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.wait_for_function(ALIVE)
    return page
