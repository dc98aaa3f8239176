"""Several processes behind nginx: each visitor stays with one, and one that is killed harms nobody but its own."""

import asyncio
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect

from charrnn.training import RECIPES
from charrnn.ui.calls import MOST_BYTES
from charrnn.ui.store import Store
from charrnn.ui.wishes import LONGEST_PASSAGE
from scripts import nginx, serve
from scripts.bench_page import ALIVE, resident_bytes
from scripts.bench_visitors import visitors
from tests.behind_proxy import COOKIE, Lab, Visitor, alone, lab
from tests.calling import ROOT
from tests.ui.conftest import open_page
from tests.ui.page_actions import press, set_speed, start_writing, text

VISITORS, CHARACTERS, SPEED = 8, 160, 40
CONFIGURATION = serve.TEMPLATE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab"), processes=2) as running:
        yield running


def test_one_that_is_killed_under_load_leaves_the_others_alone_and_comes_back(two: Lab):
    texts = [alone(seed, CHARACTERS) for seed in range(VISITORS)]

    async def visit(house: AsyncExitStack) -> None:
        hall = [Visitor(house, two.address, seed) for seed in range(VISITORS)]
        at_first = [await visitor.open() for visitor in hall]
        assert sorted(at_first) == ["1"] * 4 + ["2"] * 4
        unlucky = [visitor for visitor in hall if visitor.process == "1"]
        others = [visitor for visitor in hall if visitor.process == "2"]

        writing = {visitor.seed: asyncio.create_task(visitor.write(CHARACTERS, SPEED)) for visitor in hall}
        while any(len(visitor.text) < 40 for visitor in hall):
            await asyncio.sleep(0.05)
        before = dict(two.processes)
        two.kill("1")
        assert [await Visitor(house, two.address, 0).open() for _ in range(4)] == ["2"] * 4

        for visitor in unlucky:  # told at once, by a stream that breaks rather than ends
            with pytest.raises(httpx.RemoteProtocolError):
                await writing[visitor.seed]
            assert len(visitor.text) < len(texts[visitor.seed]) and texts[visitor.seed].startswith(visitor.text)
        for visitor in others:  # notice nothing
            assert await writing[visitor.seed] == texts[visitor.seed]
            assert visitor.columns == len(visitor.text)
        assert [visitor.process for visitor in hall] == at_first

        assert [await visitor.open() for visitor in unlucky] == ["2"] * 4
        again = await asyncio.gather(*(visitor.write(CHARACTERS, 0) for visitor in unlucky))
        assert again == [texts[visitor.seed] for visitor in unlucky]

        while await (newcomer := Visitor(house, two.address, 7)).open() != "1":
            await asyncio.sleep(0.2)
        assert await newcomer.write(CHARACTERS, 0) == texts[7] and newcomer.columns == len(texts[7])
        assert {await visitor.open() for visitor in unlucky} == {"2"}  # they stay where they went
        assert two.processes["2"] == before["2"] and two.processes["1"] != before["1"]
        assert "process 1 ended with exit code -9: starting it again" in two.said

    async def day() -> None:
        async with AsyncExitStack() as house, asyncio.timeout(200):
            await visit(house)

    aside(lambda: asyncio.run(day()))


def test_who_keeps_no_cookies_is_with_one_process_too(two: Lab):
    """A script asks for an event in one request and for what comes of it in another."""
    client = Client(two.address, verbose=False)
    for seed in range(3):
        given = {"prompt": "ROMEO:", "characters": 40, "temperature": 0.8, "seed": seed}
        assert client.predict(**given, api_name="/write") == alone(seed, 40)
    client.close()


def test_what_is_too_large_is_refused_in_words(two: Lab):
    address = f"{two.address}gradio_api/queue/join"
    refused = httpx.post(address, content=b"[" * 10_000_000, timeout=60)
    assert (
        refused.status_code == 413 and refused.json()["error"] == "That is too much to send at once: shorten the text."
    )
    longest = {"data": [None], "fn_index": 0, "session_hash": "a", "event_data": {"passage": "\x01" * LONGEST_PASSAGE}}
    assert httpx.post(address, json=longest, timeout=60).status_code != 413
    most = httpx.post(address, content=b"[" * MOST_BYTES, headers={"Content-Type": "application/json"}, timeout=60)
    assert most.status_code == 400 and most.json()["detail"].startswith("the body ")


def test_a_process_takes_no_more_memory_than_the_readme_says(two: Lab):
    names = [{"name": info.name, "step": info.saved_steps[-1]} for info in Store(ROOT / "checkpoints").infos()]
    pid, port = two.processes["2"], re.findall(r"process 2: .*port (\d+)", two.said)[-1]
    aside(lambda: visitors(f"http://127.0.0.1:{port}/", names, speed=20, seconds=3))
    (gigabytes,) = re.findall(r"up to ([\d.]+) GB of memory", " ".join((ROOT / "README.md").read_text().split()))
    assert len(names) >= len(RECIPES) and (resident_bytes(pid) or 0) < 1e9 * float(gigabytes)


def test_the_page_is_addressed_as_the_visitor_addressed_it(two: Lab):
    config = httpx.get(f"{two.address}config", headers={"Host": "lab.example:8443"}).json()
    assert config["root"] == "http://lab.example:8443"
    assert httpx.get(two.address, headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"


def test_a_page_whose_process_dies_goes_on_elsewhere_and_the_other_page_notices_nothing(
    two: Lab, browser: Browser, context: BrowserContext
):
    other_context = browser.new_context()
    pages = [open_page(each, two.address) for each in (context, other_context)]
    page, other = pages
    assert {process_of(each) for each in pages} == {"1", "2"}
    for seed, each in enumerate(pages, 50):
        each.evaluate("window.before = true")
        set_speed(each, 30)
        start_writing(each, at_least=40, prompt="ROMEO:", seed=seed, characters=200)
    two.kill(process_of(page))
    notice = page.locator(".cr-notice")
    expect(notice).to_contain_text("connection to the server is lost")
    shown = text(page)
    page.wait_for_function(f"window.before === undefined && ({ALIVE})()")
    expect(notice).to_contain_text("The connection is back")
    assert process_of(page) == process_of(other)
    whole, stands = alone(50, 200), text(page)
    assert stands.startswith(shown) and whole.startswith(stands) and 46 <= len(stands) < len(whole)
    press(page, "write")
    finished(page)
    assert text(page) == whole

    finished(other)
    assert text(other) == alone(51, 200) and other.evaluate("window.before && charrnn.stats.lost") == 0
    expect(other.locator(".cr-notice")).to_be_hidden()
    other_context.close()

    page.evaluate("window.before = true")  # nothing runs, so nothing breaks: the next click meets a stranger
    two.kill(process_of(page))
    press(page, "write")
    page.wait_for_function(f"window.before === undefined && ({ALIVE})()")
    assert text(page) == whole and page.evaluate("charrnn.state") == "finished"

    page.evaluate("window.before = true")
    while not all(map(two.lives, two.processes)):
        page.wait_for_timeout(100)
    for process in two.processes:
        two.kill(process)
    assert httpx.get(two.address).status_code == 503 and "is being started" in httpx.get(two.address).text
    press(page, "write")
    expect(notice).to_contain_text("connection to the server is lost")
    page.wait_for_function(f"window.before === undefined && ({ALIVE})()", timeout=90_000)
    assert text(page) == whole and page.evaluate("charrnn.state") == "finished"


def aside(act: Callable[[], object]) -> None:
    """In a thread of its own: Playwright's loop holds this one."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(act).result()


def process_of(page: Page) -> str:
    """The number of the process that the browser is with."""
    return {each.get("name"): each.get("value", "") for each in page.context.cookies()}[COOKIE]


def finished(page: Page) -> None:
    page.wait_for_function("charrnn.state === 'finished' && charrnn.live.drawn === charrnn.live.received")


# --------------------------------------------------------------------------------------------- the configuration


def test_nginx_accepts_the_configuration(tmp_path: Path):
    found = nginx.find_nginx()
    assert found is not None, nginx.MISSING
    for number, written in enumerate([CONFIGURATION, serve.configuration("127.0.0.1", 7900, range(7901, 7909))]):
        (file := tmp_path / f"{number}.conf").write_text(written, encoding="utf-8")
        words = [str(found), "-t", "-e", "stderr", "-p", str(tmp_path), "-c", str(file)]
        checked = subprocess.run(words, capture_output=True, text=True)
        assert checked.returncode == 0 and "[warn]" not in checked.stderr, checked.stderr


def test_nginx_takes_what_the_app_takes_and_keeps_it_in_memory():
    sizes = re.findall(r"client_(?:max_body|body_buffer)_size (\d+)k;", CONFIGURATION)
    assert [1024 * int(size) for size in sizes] == [MOST_BYTES, MOST_BYTES]


def test_the_configuration_that_is_there_to_be_read_is_the_one_that_is_used():
    assert serve.configuration("127.0.0.1", 7860, [7861, 7862]) == CONFIGURATION
    many = serve.configuration("0.0.0.0", 80, range(9001, 9017))
    assert "listen 0.0.0.0:80;" in many and len(re.findall("upstream process_", many)) == 16
    assert re.findall(r"server 127\.0\.0\.1:(\d+) max_fails", many)[-16:] == [str(port) for port in range(9001, 9017)]
