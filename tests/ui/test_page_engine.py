"""The page runs the network itself, and the server where it cannot."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from charrnn.bench.app_process import running_app
from charrnn.checkpoint import Checkpoint
from tests.ui.conftest import CHECKPOINTS, open_page
from tests.ui.page_actions import generated, refuse_networks, set_speed, settled, start_writing, text

pytestmark = pytest.mark.browser
IN_PAGE = "The network runs in this page."


def open_with_engine(context: BrowserContext, address: str) -> Page:
    """Open the page and wait until it runs the network."""
    page = open_page(context, address)
    page.wait_for_function("charrnn.way?.engine")
    return page


@pytest.mark.smoke
def test_page_writes_what_python_writes_without_a_request(context: BrowserContext, app: str, checkpoint: Checkpoint):
    page = open_with_engine(context, app)
    set_speed(page, 0)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    start_writing(page, prompt="JULIET:\n", seed=11, characters=3000)
    settled(page)
    assert text(page) == generated(checkpoint, "JULIET:\n", 3000, 11)
    expect(page.locator(".cr-writer")).to_have_text(IN_PAGE)
    assert requests == []


@pytest.mark.process
def test_text_goes_on_without_the_server(context: BrowserContext, checkpoint: Checkpoint):
    with running_app(str(CHECKPOINTS), HF_HUB_OFFLINE="1") as address:
        page = open_with_engine(context, address)
        set_speed(page, 60)
        start_writing(page, at_least=20, prompt="JULIET:\n", seed=12, characters=300)
    page.wait_for_function("charrnn.state === 'finished'")
    assert text(page) == generated(checkpoint, "JULIET:\n", 300, 12)
    expect(page.locator(".cr-notice")).to_be_hidden()


def test_refused_network_is_written_by_the_server(context: BrowserContext, app: str, checkpoint: Checkpoint):
    refuse_networks(context, "its weights take 40 MB, more than <16>")
    page = open_page(context, app)
    set_speed(page, 0)
    start_writing(page, prompt="JULIET:\n", seed=13, characters=40)
    settled(page)
    assert text(page) == generated(checkpoint, "JULIET:\n", 40, 13)
    words = "The server runs the network: its weights take 40 MB, more than <16>."
    expect(page.locator(".cr-writer")).to_have_text(words)
