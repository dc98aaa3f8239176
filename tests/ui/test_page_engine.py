"""The page runs the network itself, and the server where it cannot."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from playwright.sync_api import BrowserContext, Page, expect
from safetensors.torch import save as to_bytes

from charrnn.bench.app_process import serving
from charrnn.checkpoint import Checkpoint, load_state_dict
from charrnn.torch_reference import PlainCharRNN
from charrnn.vocab import Vocab
from tests.ui.conftest import open_page
from tests.ui.page_actions import generated, refuse_networks, set_speed, start_writing, text, wait_until_idle
from tests.ui.test_connection import free_port, start

pytestmark = pytest.mark.browser
IN_PAGE = "The network runs in this page."


def open_with_engine(context: BrowserContext, address: str) -> Page:
    """Open the page and wait until it runs the network."""
    page = open_page(context, address)
    page.wait_for_function("charrnn.runner?.engine")
    return page


@pytest.mark.smoke
def test_page_writes_what_python_writes_without_a_request(context: BrowserContext, app: str, checkpoint: Checkpoint):
    page = open_with_engine(context, app + "?model=rnn")
    set_speed(page, 0)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    start_writing(page, prompt="JULIET:\n", seed=11, characters=3000)
    wait_until_idle(page)
    assert text(page) == generated(checkpoint, "JULIET:\n", 3000, 11)
    expect(page.locator(".cr-writer")).to_have_text(IN_PAGE)
    assert requests == []


@pytest.mark.process
def test_text_needs_no_server_and_analyses_return_with_it(context: BrowserContext, checkpoint: Checkpoint):
    port = free_port()
    server = start(port)
    try:
        page = open_with_engine(context, f"http://127.0.0.1:{port}/?model=rnn")
        page.get_by_role("tab", name="Gradients").click()
        caption = page.locator("#cr-flow .cr-plot-words")
        expect(caption).to_contain_text("of the learning signal is gone")
        page.get_by_role("tab", name="Write").click()
        set_speed(page, 60)
        start_writing(page, at_least=20, prompt="JULIET:\n", seed=12, characters=300)
        server.kill()
        server.wait()
        page.wait_for_function("charrnn.state === 'finished'")
        assert text(page) == generated(checkpoint, "JULIET:\n", 300, 12)
        page.get_by_role("tab", name="Gradients").click()
        page.locator("#cr-flow").get_by_label("LSTM", exact=True).click()
        expect(caption).to_contain_text("Measuring")
        server = start(port)
        expect(caption).to_contain_text("of the learning signal is gone")
        expect(page.locator(".cr-notice")).to_be_hidden()
    finally:
        server.kill()
        server.wait()


@pytest.mark.process
def test_lab_solution_is_written_in_the_page(context: BrowserContext, tmp_path: Path):
    text_learnt = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich."
    vocab, rng = Vocab.from_text(text_learnt), torch.Generator().manual_seed(3)
    solution = PlainCharRNN(len(vocab), 24)
    state_dict = {name: torch.randn(weight.shape, generator=rng) for name, weight in solution.state_dict().items()}
    (tmp_path / "solution.safetensors").write_bytes(to_bytes(state_dict))
    (tmp_path / "input.txt").write_text(text_learnt, encoding="utf-8")
    flags = "--state-dict", str(tmp_path / "solution.safetensors"), "--data", str(tmp_path / "input.txt"), "--port"
    with serving(["app.py", *flags], HF_HUB_OFFLINE="1") as (address, _):
        page = open_with_engine(context, address)
        set_speed(page, 0)
        start_writing(page, prompt="über ", seed=11, characters=500)
        wait_until_idle(page)
        lab: Any = SimpleNamespace(model=load_state_dict(tmp_path / "solution.safetensors", vocab), vocab=vocab)
        assert text(page) == generated(lab, "über ", 500, 11)
        expect(page.locator(".cr-writer")).to_have_text(IN_PAGE)


def test_refused_network_is_written_by_the_server(context: BrowserContext, app: str, checkpoint: Checkpoint):
    refuse_networks(context, "its weights take 40 MB, more than <16>")
    page = open_page(context, app + "?model=rnn")
    set_speed(page, 0)
    start_writing(page, prompt="JULIET:\n", seed=13, characters=40)
    wait_until_idle(page)
    assert text(page) == generated(checkpoint, "JULIET:\n", 40, 13)
    words = "The server runs the network: its weights take 40 MB, more than <16>."
    expect(page.locator(".cr-writer")).to_have_text(words)
