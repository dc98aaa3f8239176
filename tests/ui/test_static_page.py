"""The static page as a folder, one file and a frame, and the app, in browsers."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from html import escape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from charrnn.checkpoint import Checkpoint, load
from charrnn.sampling import SamplingSettings
from charrnn.site import Site, single_file
from charrnn.ui.lecture.scenes import SCENES
from charrnn.ui.tabs import COMPARE, GRADIENTS, HOOD, LAB_SHEET, NEURONS, WRITE
from tests.replaced_phrases import replaced_phrases
from tests.ui import any_browser as actions
from tests.ui.any_browser import BRANCH, CHARACTERS, PROMPT, SEED, Run, Visit, until
from tests.ui.conftest import PATIENCE_MS, PHONE, WIDE, overflow
from tests.ui.other_browsers import Firefox, OtherBrowser, WebKit
from tests.ui.page_actions import generated, press, set_slider
from tests.ui.test_all_tabs import ALL_BUT_CONTRAST, HIDE_LONG_TEXT, ONLY_CONTRAST, WORDS, find_violations

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

BELOW = "some/path"  # where the folder is on its server
ANALYSES = (GRADIENTS, NEURONS, COMPARE, HOOD)
NEEDS_PYTHON = "This needs Python: start the app"
LINKED = SamplingSettings(temperature=1.15, top_k=20)
VARYING = re.compile(r", in [0-9.]+ s(?=\.)")


class Pages(SimpleHTTPRequestHandler):
    """Serve a folder, and at /frame the single file in a frame without an origin."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path != "/frame":
            return super().do_GET()
        frame = f'<iframe sandbox="allow-scripts" src="lab.html?{escape(query)}" style="width: 99vw; height: 99vh">'
        page = f'<!doctype html><title>frame</title><link rel="icon" href="data:,">{frame}</iframe>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: Any) -> None:
        """Write no line for each request."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder -> its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def pages(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site below a path, and the single file."""
    folder = tmp_path_factory.mktemp("pages")
    site.write(folder / BELOW)
    (folder / "lab.html").write_text(single_file(site), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server(pages: Path) -> Iterator[str]:
    with served(pages) as address:
        yield address


@pytest.fixture(scope="module")
def editions(server: str, pages: Path, trained_app: str) -> dict[str, str]:
    """The address of each edition of the page."""
    file = (pages / "lab.html").as_uri()
    return {"folder": f"{server}{BELOW}/", "file": file, "frame": f"{server}frame", "app": trained_app}


@pytest.fixture(scope="module")
def lstm(trained: Path) -> Checkpoint:
    return load(trained / "lstm")


@dataclass
class Opened:
    """A page of Chromium: its JavaScript runner, requests and console errors."""

    page: Page
    run: Run
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextmanager
def opened(context: BrowserContext, url: str, **media: Any) -> Iterator[Opened]:
    """Open an address; fail on console errors and requests to other hosts."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.emulate_media(**media)
    found = Opened(page, lambda body: page.frames[-1].evaluate(f"() => {{ {body} }}"))
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("console", lambda message: found.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.goto(url)
    yield found
    page.close()
    assert found.errors == []
    own = ("http://127.0.0.1:", "ws://127.0.0.1:", "file:", "blob:", "data:")
    assert [request for request in found.requests if not request.startswith(own)] == []


@pytest.fixture(scope="module")
def chromium(browser: Browser) -> Iterator[BrowserContext]:
    """A context in which a page may write to the clipboard."""
    context = browser.new_context(viewport=WIDE, color_scheme="light")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture(scope="module")
def shared(chromium: BrowserContext, editions: dict[str, str]) -> tuple[str, str]:
    """A text that was written and branched in the folder, and the query of its link."""
    with opened(chromium, editions["folder"]) as lab:
        actions.wait_for_text(lab.run)
        lab.page.locator("#cr-model").select_option("lstm")
        until(lab.run, "charrnn.live.record.model.name === 'lstm'")
        set_slider(lab.page, "temperature", LINKED.temperature)
        set_slider(lab.page, "top_k", LINKED.top_k)
        actions.write(lab.run, "ROMEO:\n", 7, 90)
        _, text = actions.branch(lab.run, 30, 2)
        press(lab.page, "link")
        expect(lab.page.locator(".cr-share-status")).to_contain_text("copied")
        link = lab.page.evaluate("navigator.clipboard.readText()")
        assert link.startswith(editions["folder"] + "?")
        return text, link.removeprefix(editions["folder"])


@pytest.fixture(scope="module")
def visits(chromium: BrowserContext, editions: dict[str, str], shared: tuple[str, str]) -> dict[str, Visit]:
    """A visit of each edition in Chromium, opened with the link."""
    found = {}
    for name, address in editions.items():
        with opened(chromium, address + shared[1]) as lab:
            found[name] = actions.visit(lab.run)
            if name == "file":
                assert [url for url in lab.requests if not url.startswith(("blob:", "data:"))] == [address + shared[1]]
    return found


def is_as_python_writes(visit: Visit, shared_text: str, lstm: Checkpoint) -> bool:
    """Check the texts of a visit."""
    character, branched = visit.chosen
    chosen = {BRANCH - len(PROMPT): lstm.vocab.ids[character]}
    expected = (
        shared_text,
        generated(lstm, PROMPT, CHARACTERS, SEED, LINKED),
        generated(lstm, PROMPT, CHARACTERS, SEED, LINKED, chosen=chosen),
    )
    return (visit.opened, visit.written, branched) == expected and visit.undone == visit.written


def captions(visit: Visit) -> dict[str, list[str]]:
    """Return the captions of a visit without what varies between visits."""
    return {tab: [VARYING.sub("", caption) for caption in found] for tab, found in visit.captions.items()}


@pytest.mark.parametrize("edition", ["folder", "file", "frame", "app"])
def test_every_tab_answers(edition: str, visits: dict[str, Visit], shared: tuple[str, str], lstm: Checkpoint):
    visit = visits[edition]
    assert is_as_python_writes(visit, shared[0], lstm)
    assert [*visit.captions] == [WRITE, *ANALYSES, LAB_SHEET]
    assert min(len(visit.captions[tab]) for tab in ANALYSES) >= 5 and len(visit.captions[LAB_SHEET]) == 1
    unanswered = [caption for found in visit.captions.values() for caption in found if caption.startswith(NEEDS_PYTHON)]
    assert unanswered == [], "each view's first query is answered"
    if edition != "app":
        assert captions(visit) == captions(visits["folder"])


@pytest.fixture(scope="module", params=[Firefox, WebKit])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherBrowser]:
    """Another browser."""
    browser = request.param(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.mark.parametrize("edition", ["folder", "file", "app"])
def test_other_browsers_show_the_same(
    edition: str,
    other: OtherBrowser,
    editions: dict[str, str],
    visits: dict[str, Visit],
    shared: tuple[str, str],
    lstm: Checkpoint,
):
    other.open(editions[edition] + shared[1])
    visit = actions.visit(other.run)
    assert is_as_python_writes(visit, shared[0], lstm)
    assert captions(visit) == captions(visits[edition])
    assert other.errors() == []


def test_errors_of_other_browsers_are_found(other: OtherBrowser, editions: dict[str, str]):
    other.open(editions["folder"])
    actions.wait_for_text(other.run)
    other.run("setTimeout(() => { throw new Error('planted'); }); fetch('http://elsewhere.invalid/x').catch(() => {})")
    found: list[str] = []
    for _ in range(100):
        found += other.errors()
        if len(found) == 2:
            break
        other.run("return 0")
    assert sorted("planted" in error for error in found) == [False, True], found
    assert any("elsewhere.invalid" in error for error in found)


def test_step_of_training_writes_its_text(chromium: BrowserContext, editions: dict[str, str], trained: Path):
    step = load(trained / "rnn").info.saved_steps[1]
    with opened(chromium, editions["folder"]) as lab:
        actions.wait_for_text(lab.run)
        set_slider(lab.page, "step", 1)
        until(lab.run, f"charrnn.live.record.model.step === {step}")
        written = actions.write(lab.run, PROMPT, SEED, CHARACTERS)
        assert written == generated(load(trained / "rnn", step=step), PROMPT, CHARACTERS, SEED)


def test_page_goes_on_without_its_server(chromium: BrowserContext, pages: Path, trained: Path):
    with ExitStack() as server:
        address = server.enter_context(served(pages))
        with opened(chromium, f"{address}{BELOW}/") as lab:
            actions.wait_for_text(lab.run)
            kept = actions.open_tab(lab.run, "Gradients")
            actions.open_tab(lab.run, "Write")
            actions.write(lab.run, "ROMEO:\n", 5, 30)  # the network is there
            server.close()
            chromium.set_offline(True)
            try:
                written = actions.write(lab.run, PROMPT, SEED, CHARACTERS)
                assert written == generated(load(trained / "rnn"), PROMPT, CHARACTERS, SEED)
                assert actions.open_tab(lab.run, "Gradients")[0] == kept[0]
                lab.page.get_by_role("tab", name="Compare").click()
                missing = lab.page.locator('[data-view="compare/surprisal_difference"] .cr-plot-words')
                expect(missing).to_contain_text("could not be loaded (no answer)")
                lab.page.get_by_role("tab", name="Write").click()
                lab.page.locator("#cr-model").select_option("lstm")
                expect(lab.page.locator(".cr-notice")).to_contain_text("could not be loaded (no answer)")
            finally:
                chromium.set_offline(False)
            assert all("ERR_INTERNET_DISCONNECTED" in error for error in lab.errors), lab.errors
            lab.errors.clear()


def test_links_of_the_lab_sheet_name_missing_networks(chromium: BrowserContext, editions: dict[str, str]):
    with opened(chromium, editions["folder"] + "?tab=lab") as lab:
        lacking = lab.page.locator(".cr-lacking")
        expect(lacking.first).to_be_visible()
        assert "MiniGPT while it writes: needs MiniGPT, not among the networks here" in lacking.all_text_contents()
        link = lab.page.get_by_role("button", name="how much context is used")
        expect(link).to_contain_text("(without RNN, long context 512 and MiniGPT, not among the networks here)")
        expect(lab.page.get_by_role("button", name="LSTM gates, live")).to_be_enabled()


def test_lecture_goes_on_without_its_server(chromium: BrowserContext, pages: Path):
    with ExitStack() as server:
        address = server.enter_context(served(pages))
        with opened(chromium, f"{address}{BELOW}/?lecture=1") as lab:
            expect(lab.page.locator(".cr-scene-loading")).to_contain_text("Everything is loaded")
            server.close()
            chromium.set_offline(True)
            try:
                for scene in (SCENES[i] for i in range(9) if not {"gru", "minigpt"} & {*SCENES[i].needs}):
                    lab.page.keyboard.press("PageDown")
                    expect(lab.page.locator(".cr-guess")).to_have_text(scene.guess)
                    until(lab.run, actions.IS_IDLE)
                    lab.page.keyboard.press("PageDown")
                    expect(lab.page.locator(".cr-scene-on")).not_to_contain_text("Reveal")
                    if scene.pictures[1] and scene.pictures[1].tab == "gradients":
                        expect(lab.page.locator(".cr-plot[data-on-stage=picture] .main-svg").first).to_be_visible()
                    if "Try it" in lab.page.locator(".cr-scene-on").inner_text():
                        lab.page.keyboard.press("PageDown")
                lab.page.keyboard.press("PageDown")
                expect(lab.page.locator(".cr-scene h2")).to_have_text("What was measured")
                expect(lab.page.locator(".cr-scenes")).not_to_contain_text("Measuring")
            finally:
                chromium.set_offline(False)


def test_lecture_goes_on_without_an_answer(chromium: BrowserContext, editions: dict[str, str]):
    chromium.route("**/kept/scene-*", lambda route: route.abort())
    with opened(chromium, editions["folder"] + "?lecture=1") as lab:
        expect(lab.page.locator(".cr-scene-loading")).to_contain_text("There is no connection")
        lab.page.keyboard.press("PageDown")
        expect(lab.page.locator(".cr-guess")).to_have_text(SCENES[0].guess)
        lab.page.keyboard.press("PageDown")
        answer = lab.page.locator(".cr-answer")
        expect(answer).to_contain_text("could not be loaded")
        lab.page.keyboard.press("PageDown")
        expect(lab.page.locator(".cr-guess")).to_have_text(SCENES[1].guess)
        lab.page.keyboard.press("r")
        expect(answer).to_contain_text("R asks again")
        chromium.unroute("**/kept/scene-*")
        lab.page.keyboard.press("r")
        expect(answer).to_contain_text("Vanilla RNN has no known unit")
        assert all("ERR_FAILED" in error for error in lab.errors), lab.errors
        lab.errors.clear()


def test_views_that_need_python_say_so(chromium: BrowserContext, editions: dict[str, str]):
    with opened(chromium, editions["folder"]) as lab:
        actions.wait_for_text(lab.run)
        actions.open_tab(lab.run, "Under the hood")
        timing = lab.page.locator('[data-view="under_the_hood/live_timing"]')
        expect(timing.get_by_role("button", name="Measure on this server")).to_be_disabled()
        expect(timing).to_contain_text(NEEDS_PYTHON)
        actions.open_tab(lab.run, "Neurons")
        board = lab.page.locator('[data-view="neurons/leaderboard"]')
        expect(board.locator("[name=pattern]")).to_be_disabled()
        expect(board).to_contain_text(NEEDS_PYTHON)
        exercises = lab.page.locator('[data-view="neurons/exercises"]')
        expect(exercises.locator(".cr-check").first).to_be_disabled()
        expect(exercises).to_contain_text("Checking an answer needs Python too.")


def test_scenes_of_a_lecture_are_revealed(chromium: BrowserContext, editions: dict[str, str]):
    for edition in ("folder", "file"):
        with opened(chromium, editions[edition] + "?lecture=1") as lab:
            actions.wait_for_text(lab.run)
            place, answer = lab.page.locator(".cr-scene-place"), lab.page.locator(".cr-answer")
            lab.page.keyboard.press("PageDown")
            expect(place).to_contain_text("Scene 1")
            for label in ("Reveal", "Try it"):
                lab.page.get_by_role("button", name=label).click()
            expect(answer).to_have_text(SCENES[0].variation)
            until(lab.run, actions.IS_IDLE)
            lab.page.keyboard.press("PageDown")
            expect(place).to_contain_text("Scene 2")
            lab.page.get_by_role("button", name="Reveal").click()
            expect(answer).to_contain_text("Vanilla RNN has no known unit")  # and there is nothing to try
            expect(lab.page.get_by_role("button", name="Next scene")).to_be_enabled()
            until(lab.run, actions.IS_IDLE)
            assert "scene=2" in lab.page.url
            lab.page.get_by_role("button", name="All scenes").click()  # the site has no GRU and no MiniGPT
            expect(lab.page.locator(".cr-scene h2")).to_contain_text("7 scenes, about 16 minutes")
            missing = lab.page.locator(".cr-scenes li:has(:disabled)")
            ends = f"{SCENES[6].question} needs GRU, not", f"{SCENES[8].question} needs MiniGPT, not"
            expect(missing).to_have_text([f"{end} among the networks here" for end in ends])
            lab.page.locator(".cr-scenes button").nth(5).click()
            expect(place).to_contain_text("Scene 6")
            for label in ("Reveal", "Try it", "Next scene"):
                lab.page.get_by_role("button", name=label).click()
            expect(place).to_contain_text("Scene 8")
            for label in ("Reveal", "Summary"):
                lab.page.get_by_role("button", name=label).click()
            expect(lab.page.locator(".cr-scene h2")).to_have_text("What was measured")
            lab.page.reload()
            expect(lab.page.locator(".cr-scene h2")).to_have_text("What was measured")
            expect(lab.page.locator(".cr-scenes")).to_contain_text("Vanilla RNN has no known unit")
        with opened(chromium, editions[edition] + "?lecture=1&scene=7") as lab:
            expect(lab.page.locator(".cr-scenes li:has(:disabled)")).to_have_count(2)


def test_axe_finds_nothing_serious_in_the_folder(chromium: BrowserContext, editions: dict[str, str]):
    found = {}
    for scheme, sizes in (("light", (WIDE, PHONE)), ("dark", (WIDE,))):
        with opened(chromium, editions["folder"], color_scheme=scheme) as lab:
            actions.wait_for_text(lab.run)
            lab.page.add_style_tag(content=HIDE_LONG_TEXT)
            for tab in actions.tab_names(lab.run):
                for size in sizes:
                    lab.page.set_viewport_size(size)
                    actions.open_tab(lab.run, tab)
                    place = tab, scheme, size["width"]
                    options = ONLY_CONTRAST if scheme == "dark" else ALL_BUT_CONTRAST if size == PHONE else {}
                    found[place] = find_violations(lab.page, **options)
                    assert overflow(lab.page) <= 0, place
                    assert replaced_phrases(lab.page.evaluate(WORDS)) == [], place
    assert len(found) == 18 and {place: violations for place, violations in found.items() if violations} == {}
