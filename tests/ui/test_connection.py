"""A server that goes away in mid-text, and comes back."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from playwright.sync_api import BrowserContext, expect

from charrnn.checkpoint import load
from charrnn.sampling import Dice, SamplingSettings, generate
from scripts.bench_page import ALIVE
from tests.ui.conftest import CHECKPOINTS, ROOT, open_page
from tests.ui.page_actions import set_speed, start_writing, text


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


def written(length: int) -> str:
    """The beginning of the text that the test has written."""
    trained, prompt = load(CHECKPOINTS / "rnn"), "JULIET:\n"
    decoder = trained.model.decoder()
    reading = decoder.prefill(trained.vocab.encode(prompt))
    steps = generate(decoder, reading, length - len(prompt), SamplingSettings(temperature=0.8), Dice(12))
    return prompt + trained.vocab.decode([step.id for step in steps])


def test_text_and_settings_come_back_with_the_server_and_the_dice_go_on(context: BrowserContext):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = start(port)
    try:
        page = open_page(context, f"http://127.0.0.1:{port}/")
        set_speed(page, 30)
        start_writing(page, at_least=30, prompt="JULIET:\n", seed=12, characters=2000)
        server.kill()
        server.wait()
        notice = page.locator(".cr-notice")
        expect(notice).to_contain_text("connection to the server is lost")
        expect(page.locator('[data-action="write"]')).to_contain_text("Resume")
        expect(page.get_by_test_id("toast-body")).to_be_hidden()
        shown = text(page)
        assert shown.startswith("JULIET:\n") and len(shown) >= 30
        page.get_by_role("button", name="Dismiss").click()
        page.locator('[data-action="write"]').click()
        expect(notice).to_contain_text("connection to the server is lost")
        assert text(page) == shown and page.evaluate("charrnn.state") == "paused"
        page.get_by_role("tab", name="Neurons").click()
        expect(page.get_by_role("alert")).to_contain_text("connection to the server is lost")
        page.get_by_role("tab", name="Write").click()
        expect(page.get_by_role("alert")).to_be_hidden()
        page.evaluate("window.before = true")
        server = start(port)
        page.wait_for_function(f"window.before === undefined && ({ALIVE})()")
        expect(notice).to_contain_text("text and settings as they were. Resume writes on.")
        stands = text(page)
        assert stands.startswith(shown) and page.evaluate("charrnn.state") == "paused"
        assert page.locator("#cr-prompt").input_value() == "JULIET:\n"
        assert page.locator("#cr-seed").input_value() == "12"
        assert page.evaluate("charrnn.settings.speed") == 30
        assert page.evaluate("[sessionStorage.length, location.search]") == [0, ""]
        page.locator('[data-action="step"]').click()
        page.wait_for_function(f"charrnn.live.drawn === {len(stands) + 1}")
        assert text(page) == written(len(stands) + 1)
    finally:
        server.kill()
        server.wait()
