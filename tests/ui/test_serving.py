"""The server: idle, several and closed pages, empty folders, ports, bad files."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from playwright.sync_api import BrowserContext, expect

from charrnn.checkpoint import Checkpoint
from charrnn.commands import app as app_command
from charrnn.gradient_flow import GradientFlow, gradient_flow
from charrnn.ui.gradients import gradient_norms
from charrnn.ui.gradio_server import serve
from charrnn.ui.page import build_demo
from charrnn.ui.server import analyses
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.loaded_model import LoadedModel
from tests.ui.conftest import CHECKPOINTS, ROOT, open_page
from tests.ui.page_actions import generated, press, refuse_networks, set_speed, start_writing, text, wait_until_idle

pytestmark = pytest.mark.browser


@contextmanager
def serving(root: Path) -> Iterator[tuple[Store, str]]:
    """Serve the page from this process -> its store and address."""
    store = Store(root)
    demo = build_demo(store)
    yield store, serve(demo, "127.0.0.1", 0)
    demo.close()


def test_finished_or_paused_text_makes_no_request(context: BrowserContext, app: str):
    refuse_networks(context)
    page = open_page(context, app)
    page.wait_for_load_state("networkidle")  # the page's engine has loaded
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.wait_for_timeout(1500)
    assert requests == []
    set_speed(page, 10)
    start_writing(page, at_least=10, characters=2000)
    assert {url.rpartition("/")[2] for url in requests} == {"continue_text"}
    press(page, "write")
    wait_until_idle(page)
    requests.clear()
    page.wait_for_timeout(1500)
    assert requests == []


def test_eight_pages_write_at_once(context: BrowserContext, app: str, checkpoint: Checkpoint):
    pages = [open_page(context, app + "?model=rnn") for _ in range(8)]  # a browser opens six connections to a server
    for seed, page in enumerate(pages):
        set_speed(page, 60)
        start_writing(page, at_least=1, seed=seed, characters=60, prompt="KING:")
    for seed, page in enumerate(pages):
        page.bring_to_front()  # a hidden tab draws nothing
        page.wait_for_function("charrnn.state === 'finished'")
        assert text(page) == generated(checkpoint, "KING:", 60, seed)


started, may_answer = list[str](), Event()


def slow(loaded: LoadedModel, text: str) -> GradientFlow:
    started.append(loaded.info.name)
    assert may_answer.wait(30)
    return gradient_flow(loaded.checkpoint.model, loaded.vocab.encode(text), analyses.MAX_LAG, 8)


def test_closed_page_stops_its_measurements(context: BrowserContext, trained: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gradient_norms, "measure_gradient", slow)
    with serving(trained) as (_, address):
        page = open_page(context, address)
        page.get_by_role("tab", name="Gradients").click()
        page.wait_for_function("document.querySelectorAll('.cr-chips:not([hidden]) input:checked').length > 1")
        while not started:
            page.wait_for_timeout(50)
        assert set(started) == {"rnn"}  # by the curves, and by the recurrent scale if it is visible
        page.close()
        time.sleep(1)  # until the server notices
        before = list(started)
        may_answer.set()
        time.sleep(1.5)  # time for the next one to start
        assert started == before


def test_empty_folder_says_how_to_train(context: BrowserContext, tmp_path: Path):
    with serving(tmp_path) as (_, address):
        page = context.new_page()
        page.goto(address)
        expect(page.locator(".cr-notice")).to_contain_text("train one with scripts/train.py")
        press(page, "write")
        expect(page.locator(".cr-notice")).to_contain_text("train one with scripts/train.py")
        expect(page.locator('[data-action="write"]')).to_contain_text("Write")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "99999"], "'99999' is not a port: give 0 to 65535"),
        (["--port", "-5"], "'-5' is not a port"),
        ([], "'abc' is not a port"),
    ],
)
def test_invalid_port_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
):
    monkeypatch.setenv("GRADIO_SERVER_PORT", "abc")
    with pytest.raises(SystemExit) as ended:
        app_command.parse(arguments)
    assert ended.value.code == 2 and reason in capsys.readouterr().err


def test_unusable_host_is_refused_in_one_line():
    ended = subprocess.run(
        [sys.executable, "app.py", "--host", "no host", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 2 and "cannot listen on no host:0: " in ended.stderr and "Traceback" not in ended.stderr


def test_port_in_use_is_reported(tmp_path: Path):
    with serving(tmp_path) as (store, address), pytest.raises(OSError, match="in use"):
        serve(build_demo(store), "127.0.0.1", int(address.rstrip("/").rpartition(":")[2]))


def test_refused_checkpoint_is_listed_with_its_reason(context: BrowserContext, tmp_path: Path):
    shutil.copytree(CHECKPOINTS / "rnn", tmp_path / "rnn")
    (bad := tmp_path / "<b>mine" / "model.safetensors").parent.mkdir()
    bad.write_bytes(b"\x80\x04K\x01.")
    with serving(tmp_path) as (_, address):
        page = open_page(context, address)
        expect(page.locator(".cr-refused")).to_contain_text("Could not load: <b>mine/model.safetensors")
        expect(page.locator(".cr-refused")).to_contain_text("pickle")
        assert page.locator(".cr-refused b").count() == 0 and str(tmp_path) not in page.content()
        (bad.parent).rename(tmp_path.parent / "elsewhere")
        page.reload()
        expect(page.locator("#cr-model option")).to_have_count(1)
        expect(page.locator(".cr-refused")).to_be_hidden()
