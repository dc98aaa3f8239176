"""The gradient norms of the tab Gradients: measured text, cache, five models."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from charrnn import figures
from charrnn.analysis_record import AnalysisRecord
from charrnn.checkpoint import load, write_analyses
from charrnn.corpus import title_of
from charrnn.gradient_flow import GradientFlow, flow_record, gradient_flow
from charrnn.ui.compare.scoreboard import reach
from charrnn.ui.gradients.gradient_norms import curves
from charrnn.ui.server import analyses
from charrnn.ui.server.analyses import gradient_of
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.default_text import SCENE
from charrnn.ui.server.loaded_model import TITLES
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.source_text import SourceText
from charrnn.ui.server.view_query import LatestQuery, ViewQuery
from tests.trained_checkpoints import RECIPES, TEXT
from tests.ui.compare_helpers import always, decoded
from tests.ui.conftest import PHONE, WIDE, open_page
from tests.ui.page_actions import use_text
from tests.ui.test_serving import serving

pytestmark = pytest.mark.usefixtures("no_corpus")

CUSTOM_TEXT = "What light is this, that breaks? " * 12
MODELS = ["rnn", "rnn-layernorm", "gru", "lstm", "minigpt"]


@pytest.fixture
def store(trained: Path) -> Store:
    return Store(trained)


def answers(store: Store, query: ViewQuery, is_current: Callable[[], bool] = always) -> list[dict[str, Any]]:
    return decoded(curves(store, query, is_current))


def expected(trained: Path, name: str, text: str, step: int | None = None) -> GradientFlow:
    checkpoint = load(trained / name, step)
    return gradient_flow(checkpoint.model, checkpoint.vocab.encode(text), 128, 128 if name == "minigpt" else 512)


def known_scene(trained: Path) -> str:
    """The default text without a corpus."""
    return load(trained / "rnn").vocab.drop_unknown(SCENE.read_text())[0]


# ------------------------------------------------------------------ the measured text


def test_flow_is_cached_per_model_step_and_text(store: Store):
    loaded = store.load("rnn")
    text = SourceText(CUSTOM_TEXT)
    flow, source = gradient_of(store, loaded, text)
    assert source == text and isinstance(flow, GradientFlow)
    assert gradient_of(store, loaded, text)[0] is flow
    assert gradient_of(store, store.load("rnn", 0), text)[0] is not flow


def test_short_text_is_refused_with_the_minimum(store: Store):
    with pytest.raises(ValueError, match="at least 130"):
        gradient_of(store, store.load("rnn"), SourceText("night"))


def test_stored_flow_is_shown_in_gradients_and_compare(trained: Path, tmp_path: Path):
    shutil.copytree(trained / "rnn", tmp_path / "rnn")
    flow = replace(expected(trained, "rnn", TEXT[:500]), half_life_chars=7.7, positions=345)
    sha256 = load(tmp_path / "rnn").info.sha256
    write_analyses(tmp_path / "rnn", sha256, {"gradient": flow_record(flow, 500)})
    store = Store(tmp_path)
    loaded = store.load("rnn")
    found, source = gradient_of(store, loaded)
    assert (found.half_life_chars, found.positions) == (7.7, 345) and "(its first 500 characters)" in str(source)
    for name in ("median", "low", "high", "geometric_mean"):
        np.testing.assert_allclose(getattr(found, name), getattr(flow, name), rtol=1e-5)
    last = answers(store, ViewQuery(names=("rnn",)))[-1]
    assert last["table"]["rows"][0]["cells"][1]["text"] == reach(loaded.info)[0].text == "7.7"
    assert f"345 places in the validation part of {title_of(loaded.info.data_sha256)} (" in last["words"]
    assert (
        gradient_of(store, loaded, SourceText(CUSTOM_TEXT))[0].half_life_chars
        == expected(trained, "rnn", CUSTOM_TEXT).half_life_chars
    )
    assert gradient_of(store, store.load("rnn", 0))[0].positions != 345, "step 0 has no stored flow"
    write_analyses(
        tmp_path / "rnn", sha256, {"gradient": AnalysisRecord({"positions": 345}, {"curve": {"median": [1.0]}})}
    )
    assert gradient_of(Store(tmp_path), Store(tmp_path).load("rnn"))[0].half_life_chars != 7.7, (
        "an invalid record is ignored"
    )


# ------------------------------------------------------------------ the answers


def test_curves_stream_then_come_from_the_cache(store: Store):
    query = ViewQuery(names=("rnn", "gru", "lstm"), form={"text": CUSTOM_TEXT})
    streamed = answers(store, query)
    rows = [len(answer["table"]["rows"]) if answer.get("table") else 0 for answer in streamed]
    assert rows == [0, 1, 2, 3, 3]  # the last two differ by the untrained curve
    assert "Measuring GRU …" in streamed[1]["words"] and streamed[1]["busy"] and not streamed[-1]["busy"]
    (cached,) = answers(store, query)
    assert cached["figure"] == streamed[-1]["figure"]


def test_selected_model_comes_first_with_untrained_curve(store: Store):
    query = ViewQuery(names=("rnn", "lstm"), choice=Choice("lstm", 10), form={"text": CUSTOM_TEXT})
    streamed = answers(store, query)
    assert [row["cells"][0]["text"] for row in streamed[1]["table"]["rows"]] == ["LSTM, step 10"]
    names = [trace.get("name") for trace in streamed[-1]["figure"]["data"]]
    assert {"untrained", "LSTM, step 10", "LSTM, step 10, geometric mean", "Vanilla RNN"} <= set(names)
    untrained = ViewQuery(names=("rnn", "lstm"), choice=Choice("lstm", 0), form={"text": CUSTOM_TEXT})
    assert "untrained" not in str(answers(store, untrained)[-1]["figure"]["data"])


def test_superseded_curves_stop(store: Store):
    is_current = iter([True, True, False])
    query = ViewQuery(names=("rnn", "gru", "lstm"), form={"text": CUSTOM_TEXT * 2})
    assert len(answers(store, query, lambda: next(is_current, False))) == 1


def test_latest_query_is_kept_per_page():
    latest = LatestQuery()
    latest.start("a page", 3)
    latest.start("a page", 2)
    latest.start("another", 1)
    assert (latest.number("a page"), latest.number("another"), latest.number("nobody")) == (3, 1, -1)


def test_default_selection_has_one_model_per_kind(store: Store):
    last = answers(store, ViewQuery())[-1]
    assert last["selected"] == ["rnn", "gru", "lstm", "minigpt"]
    assert {model["name"] for model in last["models"]} == set(RECIPES)


def test_empty_selection_has_no_figure(store: Store):
    (answer,) = answers(store, ViewQuery(names=()))
    assert answer["figure"] is None and answer["words"] == "Choose at least one network above."


def test_minigpt_curve_ends_at_its_context(store: Store):
    last = answers(store, ViewQuery(names=("minigpt",), choice=Choice("rnn", None), form={"text": CUSTOM_TEXT}))[-1]
    (line,) = [trace for trace in last["figure"]["data"] if trace.get("name") == "MiniGPT"]
    assert all(value is not None for value in line["y"][:24]) and set(line["y"][24:]) == {None}
    assert "it sees only the last 24 characters" in last["words"]


def test_dropped_characters_are_reported_once(store: Store):
    last = answers(store, ViewQuery(names=("rnn", "gru"), form={"text": "→" + CUSTOM_TEXT}))[-1]
    assert last["figure"] and last["words"].count("Skipped 1 character the network does not know: “→”") == 1
    refused = answers(store, ViewQuery(names=("rnn",), form={"text": "→" * 200}))[-1]
    assert "at least 130" in refused["words"] and "Skipped 200 characters the network does not know" in refused["words"]


def test_long_text_is_refused(store: Store):
    with pytest.raises(ValueError, match="at most 20000"):
        answers(store, ViewQuery(form={"text": "a" * 20_001}))


def test_empty_folder_is_explained(tmp_path: Path):
    with pytest.raises(ValueError, match="train one with scripts/train.py"):
        answers(Store(tmp_path), ViewQuery())


@pytest.mark.parametrize(
    "sent",
    [
        None,
        {"width": 5},
        {"width": 900, "names": "rnn"},
        {"width": 900, "names": [3]},
        {"width": 900, "names": ["a" * 300]},
        {"width": 900, "names": ["rnn"] * 1000},
        {"width": 900, "checkpoint": 3},
    ],
)
def test_invalid_view_queries_are_refused(sent: Any):
    with pytest.raises(ValueError, match="give|names is not a list|checkpoint"):
        ViewQuery.from_page(sent)


# ------------------------------------------------------------------ in a browser


def open_gradients(context: BrowserContext, address: str) -> Page:
    page = open_page(context, address)
    page.get_by_role("tab", name="Gradients").click()
    wait_for_curves(page)
    return page


@pytest.fixture(scope="module")
def page(file_context: BrowserContext, trained_app: str) -> Page:
    """The shared page of tests without a server of their own; left as it was opened."""
    return open_gradients(file_context, trained_app)


def wait_for_curves(page: Page) -> None:
    """Wait until every curve is drawn."""
    page.wait_for_function(
        "document.querySelector('#cr-flow .cr-plot .main-svg') && !document.querySelector('#cr-flow .cr-busy')"
        "&& !document.querySelector('#cr-flow .cr-plot-words').textContent.includes('Measuring')"
    )


def lines(page: Page) -> dict[str, list[float | None]]:
    """The values of every named line of the plot."""
    return page.evaluate(
        """() => Object.fromEntries(document.querySelector('#cr-flow .cr-plot').data
            .filter((trace) => trace.name && trace.mode === 'lines').map((trace) => [trace.name, [...trace.y]]))"""
    )


def checkbox(page: Page, title: str) -> Locator:
    return page.locator("#cr-flow .cr-chips").get_by_role("checkbox", name=title, exact=True)


def wait_for_line(page: Page, name: str, is_drawn: bool = True) -> None:
    """Wait until the plot has a line of this name, or has none, and every curve is drawn."""
    page.wait_for_function(
        "([name, isDrawn]) =>"
        " document.querySelector('#cr-flow .cr-plot').data.some((trace) => trace.name === name) === isDrawn",
        arg=[escape(name, quote=False), is_drawn],
    )
    wait_for_curves(page)


def toggle(page: Page, title: str) -> None:
    checkbox(page, title).click()
    wait_for_line(page, title, checkbox(page, title).is_checked())


def select(page: Page, name: str) -> None:
    page.locator("#cr-model").select_option(name)
    wait_for_line(page, f"{TITLES[name]}, geometric mean")


def select_step(page: Page, place: int, shown: str) -> None:
    """Move the slider of training steps and wait for the curve of this title."""
    page.locator("#cr-step").fill(str(place))
    expect(page.locator("#cr-flow .cr-figure tbody th").first).to_have_text(shown)
    wait_for_curves(page)


def assert_line(drawn: list[float | None], median: np.ndarray) -> None:
    for value, shown in zip(median.tolist(), drawn, strict=True):
        assert shown == (pytest.approx(value) if value >= figures.FLOOR else None)


@pytest.mark.smoke
def test_step_slider_moves_the_curve(page: Page, trained: Path):
    select_step(page, 0, "Vanilla RNN, step 0")
    assert_line(lines(page)["Vanilla RNN, step 0"], expected(trained, "rnn", known_scene(trained), 0).median)
    assert "untrained" not in lines(page)
    select_step(page, 2, "Vanilla RNN")


def test_custom_text_is_measured_or_refused(page: Page, trained: Path):
    words = page.locator("#cr-flow .cr-plot-words")
    delayed: list[Route] = []
    page.route("**/queue/join*", lambda route: delayed.append(route))
    use_text(page, CUSTOM_TEXT)
    expect(words).to_have_text("Measuring …")
    page.wait_for_timeout(200)
    for route in delayed:
        route.continue_()
    page.unroute("**/queue/join*")
    expect(words).to_contain_text("in the text you typed or pasted")
    wait_for_curves(page)
    assert_line(lines(page)["GRU"], expected(trained, "gru", CUSTOM_TEXT).median)
    for _ in range(2):  # the second answer is cached
        use_text(page, "night")
        expect(words).to_contain_text("at least 130")
        expect(page.locator("#cr-flow .cr-plot")).to_be_hidden()
    page.get_by_role("button", name="Use the sample text").click()
    expect(words).to_contain_text("a scene")
    expect(page.locator("#cr-own-text")).to_have_value("")


def test_plot_resizes_while_hidden(page: Page):
    wide = page.locator("#cr-flow .cr-plot .main-svg").first.bounding_box()
    page.get_by_role("tab", name="Write").click()
    page.set_viewport_size({"width": 1100, "height": 800})
    page.locator("#cr-step").fill("1")
    page.wait_for_timeout(300)
    page.get_by_role("tab", name="Gradients").click()
    expect(page.locator("#cr-flow .cr-figure tbody")).to_contain_text("step 10")
    width = "document.querySelector('{}').clientWidth".format
    page.wait_for_function(f"{width('.cr-plot .main-svg')} === {width('.cr-plot')}")
    box = page.locator("#cr-flow .cr-plot").bounding_box()
    assert wide and box and box["width"] < wide["width"]
    page.set_viewport_size(PHONE)
    page.wait_for_function(f"{width('.cr-plot .main-svg')} === {width('.cr-plot')}")
    assert 340 <= page.evaluate(width(".cr-plot")) <= PHONE["width"]
    page.set_viewport_size(WIDE)
    select_step(page, 2, "Vanilla RNN")


def test_lines_follow_the_palette(page: Page):
    color = "document.querySelector('#cr-flow .cr-plot').data.find((trace) => trace.name === 'GRU').line.color"
    page.evaluate("document.body.classList.add('dark')")
    page.wait_for_function(f"{color} === '#f0803c'")
    swatch = page.locator("#cr-flow .cr-chips label").filter(has_text="GRU").locator("svg")
    expect(swatch).to_have_css("stroke", "rgb(240, 128, 60)")
    page.evaluate("document.body.classList.remove('dark')")
    page.wait_for_function(f"{color} === '#a8500a'")


def test_plot_shows_five_measured_curves(page: Page, trained: Path):
    toggle(page, "RNN + layer norm")
    drawn = lines(page)
    titles = dict(zip(MODELS, ("Vanilla RNN", "RNN + layer norm", "GRU", "LSTM", "MiniGPT"), strict=True))
    for name, title in titles.items():
        assert_line(drawn[title], expected(trained, name, known_scene(trained)).median)
    assert_line(drawn["untrained"], expected(trained, "rnn", known_scene(trained), 0).median)
    labels = page.locator("#cr-flow .cr-plot .legendtext").all_text_contents()
    assert set(titles.values()) <= set(labels)
    rows = page.locator("#cr-flow .cr-figure table tbody tr")
    expect(rows).to_have_count(5)
    gru = expected(trained, "gru", known_scene(trained))
    expect(rows.filter(has_text="GRU").locator("td").first).to_have_text(gru.describe_half_life())
    interval = gru.half_life_interval
    assert interval and gru.describe_half_life().endswith(f" ({interval.low:.1f} to {interval.high:.1f})")
    words = page.locator("#cr-flow .cr-plot-words").inner_text()
    expect(page.locator("#cr-flow .cr-plot")).to_have_attribute("aria-label", words)
    toggle(page, "RNN + layer norm")


def test_curves_follow_selected_model_and_checkboxes(page: Page):
    assert set(lines(page)) >= {"Vanilla RNN", "GRU", "LSTM", "MiniGPT"}
    toggle(page, "GRU")  # from now on the selection is the user's
    assert "GRU" not in lines(page) and "LSTM" in lines(page)
    select(page, "rnn-layernorm")
    assert "RNN + layer norm, geometric mean" in lines(page) and "untrained" not in lines(page)  # no step 0 was saved
    select(page, "gru")
    assert "RNN + layer norm" not in lines(page) and "GRU, geometric mean" in lines(page) and "untrained" in lines(page)
    select(page, "rnn")
    toggle(page, "my <b>net & co")
    assert "my &lt;b&gt;net &amp; co" in lines(page)
    checkbox(page, "LSTM").focus()
    page.keyboard.press("Space")
    wait_for_line(page, "LSTM", is_drawn=False)
    for title in ("Vanilla RNN", "MiniGPT", "my <b>net & co"):
        checkbox(page, title).click()
    expect(page.locator("#cr-flow .cr-plot-words")).to_contain_text("Choose at least one network")
    expect(page.locator("#cr-flow .cr-plot")).to_be_hidden()


def test_slow_answer_does_not_replace_a_newer_one(
    context: BrowserContext, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(trained / "rnn", tmp_path / "rnn")
    may_answer = threading.Event()

    def slowly(model: Any, ids: list[int], *more: Any) -> GradientFlow:
        if len(ids) == len(CUSTOM_TEXT):
            may_answer.wait(60)
        return gradient_flow(model, ids, *more)

    monkeypatch.setattr(analyses, "gradient_flow", slowly)
    with serving(tmp_path) as (_, address):
        page = open_gradients(context, address)
        use_text(page, CUSTOM_TEXT)
        expect(page.locator("#cr-flow .cr-plot-words")).to_contain_text("Measuring Vanilla RNN")
        page.get_by_role("button", name="Use the sample text").click()
        expect(page.locator("#cr-flow .cr-plot-words")).to_contain_text("a scene")
        before = page.locator("#cr-flow .cr-plot-words").inner_text()
        may_answer.set()
        page.wait_for_timeout(1000)
        assert page.locator("#cr-flow .cr-plot-words").inner_text() == before


def test_failed_answer_is_reported(context: BrowserContext, trained: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: Any) -> None:
        raise RuntimeError("no memory left")

    monkeypatch.setattr(analyses, "gradient_flow", broken)
    with serving(trained) as (_, address):
        page = open_page(context, address)
        page.get_by_role("tab", name="Gradients").click()
        expect(page.locator("#cr-flow .cr-plot-words")).to_contain_text("could not answer")


def test_new_checkpoint_in_folder_is_offered(context: BrowserContext, trained: Path, tmp_path: Path):
    shutil.copytree(trained / "rnn", tmp_path / "rnn")
    with serving(tmp_path) as (_, address):
        page = open_gradients(context, address)
        expect(page.locator("#cr-flow .cr-chips label")).to_have_count(1)
        shutil.copytree(trained / "gru", tmp_path / "gru")
        use_text(page, "")
        expect(page.locator("#cr-flow .cr-chips label")).to_have_count(2)
