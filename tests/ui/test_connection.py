"""A server that stops while a text is written, a reload of the page, and proxies."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from charrnn.bench.page_speed import ALIVE
from charrnn.checkpoint import Checkpoint
from charrnn.sampling import SamplingSettings
from tests.ui.conftest import CHECKPOINTS, ROOT, open_page
from tests.ui.page_actions import generated, press, refuse_networks, set_slider, set_speed, start_writing, text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(port: int) -> subprocess.Popen:
    command = [sys.executable, "app.py", "--port", str(port), "--checkpoints", str(CHECKPOINTS)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30):
                return process
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError("the app did not answer")


def test_text_resumes_when_the_server_is_back(context: BrowserContext, checkpoint: Checkpoint):
    port = free_port()
    server = start(port)
    refuse_networks(context)
    try:
        page = open_page(context, f"http://127.0.0.1:{port}/?model=rnn")
        set_speed(page, 30)
        start_writing(page, at_least=30, prompt="JULIET:\n", seed=12, characters=300)
        server.kill()
        server.wait()
        notice = page.locator(".cr-notice")
        expect(notice).to_contain_text("Reconnecting")
        shown = text(page)
        assert shown == generated(checkpoint, "JULIET:\n", len(shown) - 8, 12)
        page.evaluate("window.before = true")
        server = start(port)
        page.wait_for_function("charrnn.state === 'finished'")
        expect(notice).to_be_hidden()
        assert text(page) == generated(checkpoint, "JULIET:\n", 300, 12)
        assert page.evaluate("window.before")  # the page was not reloaded
    finally:
        server.kill()
        server.wait()


@pytest.mark.smoke
def test_text_settings_tab_and_cursor_survive_a_reload(page: Page, checkpoint: Checkpoint):
    set_speed(page, 30)
    set_slider(page, "temperature", 0.7)
    start_writing(page, at_least=30, prompt="JULIET:\n", seed=12, characters=300)
    press(page, "write")
    page.wait_for_function("charrnn.state === 'paused'")
    page.locator(".cr-line span").nth(12).click()
    shown = text(page)
    page.get_by_role("tab", name="Compare").click()
    page.reload()
    page.wait_for_function(ALIVE)
    expect(page.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Write").click()
    page.wait_for_function("charrnn.live.cursor === 12")
    assert text(page) == shown and page.evaluate("[charrnn.state, charrnn.live.cursor]") == ["paused", 12]
    assert page.locator("#cr-prompt").input_value() == "JULIET:\n"
    assert page.evaluate("[charrnn.settings.temperature, charrnn.settings.speed]") == [0.7, 30]
    set_speed(page, 0)
    press(page, "write")
    page.wait_for_function("charrnn.state === 'finished'")
    assert text(page) == generated(checkpoint, "JULIET:\n", 300, 12, SamplingSettings(0.7))
    page.reload()
    page.wait_for_function(ALIVE)
    assert text(page) == generated(checkpoint, "JULIET:\n", 300, 12, SamplingSettings(0.7))
    assert page.evaluate("[charrnn.state, charrnn.settings.temperature]") == ["finished", 0.7]
    expect(page.locator(".cr-notice")).to_be_hidden()


@contextmanager
def open_behind_proxy(browser: Browser, app: str, path: str = "", **headers: str) -> Iterator[Page]:
    """Open the page behind a proxy that passes its own host name, as nginx does."""
    address = "http://lab.example/"

    def forward(route: Route) -> None:
        url = route.request.url.replace(address, app.rstrip("/") + "/")
        route.fulfill(response=route.fetch(url=url, headers=route.request.headers | headers))

    with browser.new_context() as context:
        context.route(f"{address}**", forward)
        page = context.new_page()
        page.goto(address + path)
        yield page
        context.unroute_all(behavior="ignoreErrors")


def test_proxy_with_its_own_host_needs_no_setting(browser: Browser, app: str):
    secure = {"Sec-Fetch-Site": "same-origin"}  # where the proxy has a certificate
    with open_behind_proxy(browser, app, "?tab=hood", **secure) as page:
        page.wait_for_function(ALIVE)
        expect(page.locator(".cr-cell .cr-code-line").first).to_be_visible()
        expect(page.locator(".cr-notice")).to_be_hidden()


def test_page_explains_why_its_requests_are_refused(browser: Browser, app: str):
    with open_behind_proxy(browser, app) as page:
        notice = page.locator(".cr-notice")
        words = "The server refuses the requests of this page (status 403): another site's page may not call this one"
        expect(notice).to_contain_text(words, timeout=15_000)
        expect(notice).to_contain_text("or start the app with --allowed-hosts lab.example.")
