"""A running app on the bundled checkpoint, a real Chromium, and pages that fail on what a visitor should not see."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from charrnn.checkpoint import Checkpoint, load

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = ROOT / "checkpoints"
ALIVE = "() => window.charrnn?.live?.received > 0 && charrnn.live.drawn === charrnn.live.received"


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    """The bundled vanilla network."""
    return load(CHECKPOINTS / "rnn")


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real `app.py`, started for these tests and ended after them."""
    port = free_port()
    folder = tmp_path_factory.mktemp("app")
    environment = {**os.environ, "CHARRNN_CACHE": str(folder / "no-corpus"), "HF_HUB_OFFLINE": "1"}
    with open(folder / "log.txt", "w+") as log:
        command = [sys.executable, "app.py", "--port", str(port), "--checkpoints", str(CHECKPOINTS)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            wait_for(f"http://127.0.0.1:{port}/", process, log.name)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(address: str, process: subprocess.Popen, log: str) -> None:
    """Until the address answers; a process that ends before fails the test with what it said."""
    for _ in range(600):
        assert process.poll() is None, Path(log).read_text()
        try:
            with urllib.request.urlopen(address, timeout=30):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError(f"{address} did not answer: {Path(log).read_text()}")


@pytest.fixture(scope="session")
def browser(browser_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(browser_path), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One visitor. Whatever the pages ask of another host, or throw, fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    errors: list[str] = []
    requests: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    assert requests
    assert [url for url in requests if _is_foreign(url)] == []
    assert not errors


def _is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))


@pytest.fixture
def page(context: BrowserContext, app: str) -> Page:
    """The page with its example on it."""
    return open_page(context, app)


def open_page(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(address)
    page.wait_for_function(ALIVE)
    return page
