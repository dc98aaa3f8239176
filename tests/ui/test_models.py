"""Every kind of network in a real browser: switched in mid-page, its gates, memory and layers in the heatmap."""

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from charrnn.bench.page_speed import running_app
from charrnn.gradient_flow import gradient_flow
from charrnn.sampling import SamplingSettings, UniformStream, distribution, generate
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.loaded_model import LoadedModel
from tests.small_models import SMALL, save_all, save_small
from tests.ui.conftest import open_page
from tests.ui.page_actions import (
    SLOWLY,
    canvas_column,
    choose,
    columns,
    look_at,
    press,
    set_slider,
    set_speed,
    settled,
    start_writing,
    text,
)

BLUE, ORANGE, PAPER = np.array([0x0B, 0x6E, 0x99]), np.array([0xD1, 0x60, 0x2B]), np.array([0xFB, 0xFA, 0xF8])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_all(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def store(root: Path) -> Store:
    """The same networks, to compute with."""
    return Store(root)


@pytest.fixture(scope="module")
def app(root: Path) -> Iterator[str]:
    with running_app(str(root), CHARRNN_CACHE=str(root / "no-corpus"), HF_HUB_OFFLINE="1") as address:
        yield address


@pytest.fixture
def page(context: BrowserContext, app: str) -> Page:
    return open_page(context, app)


def stepped(reader: LoadedModel, text: str, name: str) -> np.ndarray:
    """What the decoder says under this name, one character after the other: (T, rows)."""
    reading, rows = reader.decoder.prefill([]), []
    for id in reader.vocab.encode(text):
        reading = reader.decoder.step(id, reading.state)
        rows.append(reading.activations[name])
    return np.stack(rows)


def shades(shares: np.ndarray) -> np.ndarray:
    """The colours of shares of the scale, −1 … 1, and beyond: (rows, 3)."""
    share = np.clip(shares, -1, 1)[:, None]
    return PAPER + np.where(share < 0, BLUE - PAPER, ORANGE - PAPER) * np.abs(share)


def legend(page: Page) -> list[str]:
    return [page.locator(part).inner_text() for part in (".cr-least", ".cr-most")]


def number(words: str) -> float:
    return float(words.replace("−", "-"))


def hovered(page: Page, position: int, row: int) -> tuple[str, int, float, float]:
    """Put the pointer on a cell -> what its row is, which, its value and its change, as the page says them."""
    box = page.locator(".cr-canvas").bounding_box()
    assert box
    place = page.evaluate("[charrnn.live.map.from, charrnn.live.map.columns, charrnn.live.map.rowHeight]")
    x = box["x"] + (position - place[0] + 0.5) * box["width"] / place[1]
    page.mouse.move(x, box["y"] + (row + 0.5) * place[2])
    said = page.locator(".cr-values").inner_text()
    found = re.fullmatch(
        r"(\w+) (\d+) at “.”: \S+ = ([+−]?[\d.]+), Δ\S+ = ([+−]?[\d.]+) · character (\d+) of \d+", said
    )
    assert found and int(found[5]) == position + 1, said
    return found[1], int(found[2]), number(found[3]), number(found[4])


def test_models_are_switched_in_mid_page_and_read_the_same_text(page: Page, store: Store):
    before = text(page)
    options = page.locator("#cr-model option").all_text_contents()
    assert [option.split(" · ")[0] for option in options] == [
        LoadedModel.title_of(info) for info in store.checkpoints()
    ]
    assert all(re.search(r" · \d+ k parameters · 2\.16 bits per character$", option) for option in options)
    heights = set()
    for name, view in (("rnn", "h"), ("lstm", "h"), ("gru", "h"), ("minigpt", "layer 6"), ("lstm-layernorm", "h")):
        choose(page, name)
        assert text(page) == before
        expected = stepped(store.load(name), before, view)
        np.testing.assert_allclose(columns(page), expected, rtol=1e-3, atol=1e-4)
        order = page.evaluate("charrnn.live.map.rows")
        assert sorted(order) == list(range(SMALL[name]["hidden_dim"]))
        scale = store.load(name).view(view).scale
        for position in (len(before) - 1, len(before) - 7):  # columns stand over their characters
            colours = canvas_column(page, position)
            assert np.abs(shades(expected[position][order] / scale.high) - colours).max() <= 2
        expect(page.locator(".cr-source")).to_contain_text(LoadedModel.title_of(store.load(name).info))
        heights.add(page.evaluate("charrnn.live.map.rowHeight"))
    assert len(heights) > 2  # few rows are tall ones


def test_of_quick_choices_the_last_one_stands(page: Page, store: Store):
    for first, then in (("lstm", "gru"), ("minigpt", "lstm"), ("rnn", "minigpt"), ("gru", "rnn")):
        page.locator("#cr-model").select_option(first)
        choose(page, then)
        page.wait_for_timeout(400)
        assert page.evaluate("charrnn.live.record.model.name") == then


def test_the_last_of_quick_settings_is_the_one_that_writes(page: Page, store: Store):
    choose(page, "rnn")
    set_speed(page, 60)
    start_writing(page, characters=1500)
    for temperature in (2, 1.6, 1.2, 0.8, 0.4, 0):  # a slider that is dragged while its events are on their way
        set_slider(page, "temperature", temperature)
        page.wait_for_timeout(35)
    page.wait_for_timeout(500)
    begin = page.evaluate("charrnn.live.received")
    page.wait_for_function(f"charrnn.live.received > {begin + 30}")
    press(page, "stop")
    settled(page)
    reader, written = store.load("rnn"), text(page)
    reading = reader.decoder.prefill(reader.vocab.encode(written[:begin]))
    for character in written[begin:]:
        likeliest = int(np.argmax(reading.logits))
        assert character == reader.vocab.decode([likeliest])
        reading = reader.decoder.step(likeliest, reading.state)


def test_gates_have_the_scale_zero_to_one_and_the_values_of_the_decoder(page: Page, store: Store):
    for name, gates in (("lstm", "ifo"), ("gru", "rz")):
        choose(page, name)
        for gate in gates:
            look_at(page, gate)
            assert legend(page) == ["0", "1"]
            expected = stepped(store.load(name), text(page), gate)
            np.testing.assert_allclose(columns(page), expected, rtol=1e-3, atol=1e-4)
    choose(page, "lstm")
    look_at(page, "f")
    expect(page.locator(".cr-map-title")).to_contain_text("forget gate f, 28 units")
    expect(page.locator(".cr-see")).to_contain_text("orange keeps it")
    expected, last = stepped(store.load("lstm"), text(page), "f"), len(text(page)) - 1
    for position, row in ((last, 3), (last - 40, 11)):
        what, unit, value, change = hovered(page, position, row)
        assert what == "unit" and unit == page.evaluate(f"charrnn.live.map.rows[{row}]")
        assert value == pytest.approx(expected[position, unit], abs=0.0052)
        assert change == pytest.approx(expected[position, unit] - expected[position - 1, unit], abs=0.0052)
    order = page.evaluate("charrnn.live.map.rows")
    assert np.abs(shades(expected[last - 3][order]) - canvas_column(page, last - 3)).max() <= 2  # paper to orange


def test_the_cell_state_is_shown_on_a_scale_of_its_own(page: Page, store: Store):
    choose(page, "lstm")
    look_at(page, "c")
    expected, scale = stepped(store.load("lstm"), text(page), "c"), store.load("lstm").view("c").scale
    assert np.abs(expected).max() > scale.high > 1
    assert legend(page) == [f"≤ −{scale.high:g}", f"≥ +{scale.high:g}"]
    order, last = page.evaluate("charrnn.live.map.rows"), len(text(page)) - 1
    position = last - 119 + int(np.abs(expected[-120:]).max(axis=1).argmax())
    colours = canvas_column(page, position)
    assert np.abs(shades(expected[position][order] / scale.high) - colours).max() <= 2
    row = order.index(
        int(np.abs(expected[position]).argmax())
    )  # beyond the scale: the colour ends, the number does not
    _, unit, value, change = hovered(page, position, row)
    assert abs(value) > scale.high
    assert value == pytest.approx(expected[position, unit], abs=0.06)
    assert change == pytest.approx(expected[position, unit] - expected[position - 1, unit], abs=0.06)


def test_changes_are_shown_without_asking_the_server(page: Page, store: Store):
    serial = page.evaluate("charrnn.live.record.serial")
    button = page.get_by_role("button", name="Δh")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert legend(page) == ["−2", "+2"]
    expect(page.locator(".cr-map-title")).to_contain_text("change of the hidden state Δh")
    expect(page.locator(".cr-see")).to_contain_text("pale means kept")
    expected, order = stepped(store.load("rnn"), text(page), "h"), page.evaluate("charrnn.live.map.rows")
    position = len(text(page)) - 5
    change = (expected[position] - expected[position - 1])[order]
    assert np.abs(shades(change / 2) - canvas_column(page, position)).max() <= 2
    assert page.evaluate("charrnn.live.record.serial") == serial
    choose(page, "minigpt")  # and it stays chosen
    scale = store.load("minigpt").view("layer 6").scale
    assert legend(page) == [f"≤ −{scale.change:g}", f"≥ +{scale.change:g}"]
    expect(page.locator(".cr-change")).to_have_text("Δx₆")


def test_layers_of_the_transformer_are_chosen_by_keyboard(page: Page, store: Store):
    choose(page, "minigpt")
    labels = page.locator(".cr-shown button").all_text_contents()
    assert labels == ["x₆", "x₅", "x₄", "x₃", "x₂", "x₁", "x₀"]
    page.get_by_role("button", name="layer 2 x₂").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("charrnn.live.record.view.name === 'layer 2'")
    np.testing.assert_allclose(
        columns(page), stepped(store.load("minigpt"), text(page), "layer 2"), rtol=1e-3, atol=1e-4
    )
    expect(page.get_by_role("button", name="layer 2 x₂")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowLeft")  # the arrows go on moving the cursor
    assert page.evaluate("charrnn.live.cursor") == len(text(page)) - 2
    look_at(page, "embedding")
    shown = text(page)
    first, second = [i for i, character in enumerate(shown) if character == "O"][:2]
    kept = columns(page)
    assert (kept[first] == kept[second]).all()  # each character by itself
    page.locator(".cr-canvas").click(position={"x": 400, "y": 60})
    assert re.fullmatch(r"dimension \d+", page.locator(".cr-text-title b").inner_text())


def test_what_a_model_has_not_got_gives_way_and_comes_back(page: Page):
    choose(page, "lstm")
    look_at(page, "c")
    for name, shown in (("rnn", "h"), ("minigpt", "layer 6"), ("gru", "h"), ("lstm", "c")):
        choose(page, name)
        assert page.evaluate("charrnn.live.record.view.name") == shown
        pressed = page.locator('.cr-shown button[aria-pressed="true"]')
        assert pressed.get_attribute("data-value") == shown
        assert page.locator(".cr-shown").is_visible() == (name != "rnn")  # one thing to see is no choice


def test_a_view_or_a_model_changed_moves_neither_text_nor_cursor(page: Page):
    page.locator(".cr-text").evaluate("box => (box.scrollTop = 0)")
    page.locator(".cr-line span").nth(30).click()
    page.locator(".cr-line span").nth(30).evaluate("span => (span.marked = 'the same')")
    page.mouse.move(5, 5)
    choose(page, "gru")
    look_at(page, "z")
    page.wait_for_timeout(200)
    assert page.evaluate("charrnn.live.cursor") == 30
    assert page.locator(".cr-text").evaluate("box => box.scrollTop") == 0
    assert page.locator(".cr-line span").nth(30).evaluate("span => span.marked") == "the same"


def test_models_and_views_changed_while_text_runs_lose_nothing(page: Page, store: Store):
    set_speed(page, SLOWLY)
    start_writing(page, at_least=10, seed=5, characters=600, prompt="MARCIUS:")
    stood = text(page)
    for name in ("lstm", "gru", "minigpt"):
        choose(page, name)
    look_at(page, "layer 3")
    choose(page, "lstm")
    look_at(page, "o")
    assert page.evaluate("charrnn.state") == "writing"
    set_speed(page, 0)
    settled(page)
    shown = text(page)
    assert shown.startswith(stood) and len(shown) == 608
    np.testing.assert_allclose(columns(page), stepped(store.load("lstm"), shown, "o"), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["lstm", "minigpt"])
def test_a_view_changed_while_text_runs_changes_no_character(page: Page, store: Store, name: str):
    choose(page, name)
    set_speed(page, SLOWLY)
    start_writing(page, at_least=5, seed=9, characters=300, prompt="A")
    look_at(page, store.load(name).view_names[2])
    press(page, "write")
    settled(page)
    assert page.evaluate("charrnn.state") == "paused"
    press(page, "step")
    set_speed(page, 0)
    press(page, "write")
    settled(page)
    reader = store.load(name)
    beginning = reader.decoder.prefill(reader.vocab.encode("A"))
    steps = generate(reader.decoder, beginning, 300, SamplingSettings(0.8), UniformStream(9))
    assert text(page) == "A" + reader.vocab.decode([step.id for step in steps])


def test_a_transformer_of_many_layers_offers_them_in_a_list(context: BrowserContext, tmp_path: Path):
    save_small(tmp_path / "deep", SMALL["minigpt"] | {"layers": 12})
    with running_app(str(tmp_path), CHARRNN_CACHE=str(tmp_path), HF_HUB_OFFLINE="1") as address:
        page = open_page(context, address)
        chosen = page.locator(".cr-shown-list")
        expect(chosen).to_be_visible()
        expect(page.locator(".cr-shown")).to_be_hidden()
        assert len(chosen.locator("option").all()) == 13
        chosen.select_option("layer 10")
        page.wait_for_function("charrnn.live.record.view.name === 'layer 10'")
        expect(page.locator(".cr-map-title")).to_contain_text("residual stream x₁₀, 32 dimensions")
        reader = Store(tmp_path).load("deep")
        np.testing.assert_allclose(columns(page), stepped(reader, text(page), "layer 10"), rtol=1e-3, atol=1e-4)


def test_many_units_share_the_height_there_is(context: BrowserContext, tmp_path: Path):
    save_small(tmp_path / "wide", {"cell": "gru", "hidden_dim": 700})
    with running_app(str(tmp_path), CHARRNN_CACHE=str(tmp_path), HF_HUB_OFFLINE="1") as address:
        page = open_page(context, address)
        look_at(page, "z")
        expect(page.locator(".cr-see")).to_contain_text("share a line of pixels")
        assert page.locator(".cr-canvas").evaluate("canvas => canvas.clientHeight") == 280 + 18
        expected, last = stepped(Store(tmp_path).load("wide"), text(page), "z"), len(text(page)) - 1
        order, rows = page.evaluate("charrnn.live.map.rows"), (2, 350, 699)
        assert sorted(order) == list(range(700))
        for row in rows:  # some row of those under the pointer; the magnifier has it in its middle
            _, unit, value, _ = hovered(page, last - 10, row)
            assert abs(order.index(unit) - row) <= 2
            assert value == pytest.approx(expected[last - 10, unit], abs=0.0052)
        halves = expected[last][order].repeat(2).reshape(280, 5)  # two and a half rows a line
        lines = ((np.arange(700) + 0.5) * 0.4).astype(int)
        assert np.abs(shades(halves.mean(axis=1))[lines] - canvas_column(page, last)).max() <= 3


@pytest.mark.parametrize("width", [360, 768, 1024])
def test_nothing_scrolls_sideways_whatever_is_shown(browser: Browser, app: str, width: int):
    context = browser.new_context(viewport={"width": width, "height": 844}, has_touch=True)
    page = open_page(context, app)
    for name in ("minigpt", "lstm"):  # chosen in the drawer of a phone
        page.locator("#cr-model").evaluate("(s, name) => (s.value = name, s.dispatchEvent(new Event('change')))", name)
        page.wait_for_function(f"charrnn.live.record.model.name === '{name}'")
        page.locator(".cr-change").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


# ------------------------------------------------------------------ endpoints


def call(app: str, name: str, *arguments: Any) -> Any:
    """Call a named endpoint as any client may."""
    body = json.dumps({"data": list(arguments)}).encode()
    request = urllib.request.Request(f"{app}gradio_api/call/{name}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{app}gradio_api/call/{name}/{event}", timeout=120) as answer:
        return json.loads(answer.read().decode().strip().splitlines()[-1].removeprefix("data: "))[0]


def test_every_endpoint_takes_every_model(app: str, store: Store):
    listed = {model["name"]: model for model in call(app, "models")}
    assert {name: model["config"] for name, model in listed.items()} == {
        name: store.load(name).info.config for name in SMALL
    }
    own = "What, is the king but sleeping? " * 8
    for name in SMALL:
        reader = store.load(name)
        beginning = reader.decoder.prefill(reader.vocab.encode("ROMEO:"))
        steps = generate(reader.decoder, beginning, 40, SamplingSettings(0.8), UniformStream(7))
        written = call(app, "write", "ROMEO:", name, 40, 0.8, 0, 1.0, 0.0, 7, -1)
        assert written == "ROMEO:" + reader.vocab.decode([step.id for step in steps])
        found = call(app, "next_characters", own, name, 0.9, 0, 1.0, 0.0, -1)
        logits = reader.decoder.prefill(reader.vocab.encode(own)).logits
        expected = distribution(logits, SamplingSettings(0.9))
        assert "".join(row["character"] for row in found) == reader.vocab.decode(expected.order.tolist())
        flow = call(app, "gradient_flow", own, name, -1)
        expected = gradient_flow(reader.checkpoint.model, reader.vocab.encode(own), 128, 512)
        np.testing.assert_allclose(flow["median"], expected.median, rtol=1e-6)
