"""The page on a fake Hub: commit, newer networks, unreachable Hub."""

import re
from pathlib import Path

from playwright.sync_api import BrowserContext, expect

from charrnn.bench.app_process import running_app
from charrnn.checkpoint import load
from tests.hub_client import Server
from tests.small_models import SMALL, save_small
from tests.ui.conftest import open_page
from tests.ui.page_actions import generated, set_speed, wait_until_idle, write


def test_page_shows_commit_refreshes_and_works_offline(context: BrowserContext, server: Server, tmp_path: Path):
    save_small(tmp_path / "net", SMALL["gru"])
    (first,) = server.call(["push", str(tmp_path / "net"), "me/lab"])
    no_corpus = {"CHARRNN_CACHE": str(tmp_path / "no-corpus")}
    with running_app("me/lab", **server.environment, **no_corpus) as address:
        page = open_page(context, address)
        where, status = page.locator(".cr-origin-where"), page.locator(".cr-origin-status")
        expect(where).to_have_text(f"me/lab at commit {first['commit'][:8]}")
        assert where.get_attribute("title") == first["commit"]
        expect(status).to_have_text("")

        save_small(tmp_path / "net", SMALL["lstm"])
        (second,) = server.call(["push", str(tmp_path / "net"), "me/lab"])
        page.locator('[data-action="refresh"]').click()
        expect(status).to_have_text(f"Now at commit {second['commit'][:8]}.")
        expect(where).to_have_text(f"me/lab at commit {second['commit'][:8]}")
        new = load(tmp_path / "net")
        sha256 = new.info.sha256
        page.wait_for_function(f"charrnn.live.record.model.sha256 === '{sha256}' && charrnn.runner.engine")
        set_speed(page, 0)
        wait_until_idle(page)  # the new network rewrites the text
        assert write(page, prompt="ROMEO:\n", seed=3, characters=40) == generated(new, "ROMEO:\n", 40, 3)
        page.locator('[data-action="refresh"]').click()
        expect(status).to_have_text(re.compile("Checked a moment ago"))
    server.kill()
    with running_app("me/lab", **server.environment, **no_corpus) as address:
        page = open_page(context, address)
        expect(page.locator(".cr-origin-where")).to_have_text(f"me/lab at commit {second['commit'][:8]}")
        expect(page.locator(".cr-origin-status")).to_contain_text(
            "cannot be reached just now: these are the networks as last"
        )
        page.locator('[data-action="refresh"]').click()
        expect(page.locator(".cr-origin-status")).to_contain_text("as last fetched")
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
