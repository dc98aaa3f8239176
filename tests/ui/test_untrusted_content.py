"""Cross-origin framing and calls; HTML in names and texts is never executed."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from charrnn.bench.page_speed import ALIVE
from charrnn.vocab import Vocab
from scripts.dev.visit_tabs import names, open_tab, rest, unfold
from tests.small_models import SMALL, save_small
from tests.ui.conftest import open_page
from tests.ui.page_actions import text, write
from tests.ui.test_serving import serving

SCRIPT = "<script>alert('&\"1\"')</script>\n<img src=x onerror=alert(1)>{{}}${`}"
CALL = """(address) => fetch(address + "gradio_api/call/models", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: '{"data": []}', mode: "%s",
}).then((answer) => answer.text(), (error) => "refused")"""


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def other_site(tmp_path: Path, app: str) -> Iterator[str]:
    """The address of another site with the page in a frame."""
    (tmp_path / "index.html").write_text(f"<!doctype html><iframe src='{app}' width=1200 height=800></iframe>")
    site = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(tmp_path)))
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    yield f"http://localhost:{site.server_port}/"
    site.shutdown()
    thread.join()
    site.server_close()


def test_other_site_may_frame_but_not_read_or_call(browser: Browser, app: str, other_site: str):
    context = browser.new_context()
    page = context.new_page()
    statuses = list[int]()
    page.on("response", lambda response: statuses.append(response.status) if "call/models" in response.url else None)
    page.goto(other_site)
    frame = page.frame(url=app)
    assert frame is not None
    frame.wait_for_function(ALIVE)
    run = frame.evaluate("charrnn.live.record.run")
    frame.locator('[data-action="write"]').click()
    frame.wait_for_function(f"charrnn.live.record.run > {run} && charrnn.live.drawn >= 20")
    assert page.evaluate(CALL % "cors", app) == "refused"
    assert page.evaluate(CALL % "no-cors", app) == "" and 200 not in statuses
    assert page.evaluate("(app) => fetch(app + 'config').then(() => 'read', () => 'refused')", app) == "refused"
    assert frame.evaluate(CALL % "cors", app).startswith('{"event_id"'), "the page itself may"
    context.close()


def test_scripts_in_vocabulary_and_name_never_run(context: BrowserContext, tmp_path: Path):
    name = "<img src=x onerror=alert(2)> &amp; co"
    save_small(tmp_path / name, SMALL["gru"], Vocab("".join(sorted(set(SCRIPT)))), passage=SCRIPT * 9)
    with serving(tmp_path) as (_, address):
        page = open_page(context, address)
        dialogs = list[str]()
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        expect(page.locator(".cr-model-name")).to_have_text(name)
        assert write(page, seed=3, characters=90, prompt=SCRIPT).startswith(SCRIPT)
        for tab in names(page):
            open_tab(page, tab)
            unfold(page)
            rest(page)
        assert page.locator("img[src=x]").count() == 0 and dialogs == []
        assert page.locator(".cr-main script").count() == 0
        assert text(page).startswith(SCRIPT)
