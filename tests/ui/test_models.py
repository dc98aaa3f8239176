"""Every architecture on the page: switching models, and views of the heatmap."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from charrnn.bench.app_process import running_app
from charrnn.gradient_flow import gradient_flow
from charrnn.sampling import SamplingSettings, distribution
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.loaded_model import LoadedModel
from tests.small_models import SMALL, save_all, save_small
from tests.ui.conftest import WIDE, open_page, overflow
from tests.ui.page_actions import (
    call,
    canvas_column,
    choose,
    columns,
    generated,
    open_options,
    shades,
    show_view,
    text,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = save_all(tmp_path_factory.mktemp("models"))
    save_small(root / "deep", SMALL["minigpt"] | {"layers": 12})
    save_small(root / "wide", {"cell": "gru", "hidden_dim": 700})
    return root


@pytest.fixture(scope="module")
def store(root: Path) -> Store:
    """The same models, loaded in this process."""
    return Store(root)


@pytest.fixture(scope="module")
def app(root: Path) -> Iterator[str]:
    with running_app(str(root), CHARRNN_CACHE=str(root / "no-corpus"), HF_HUB_OFFLINE="1") as address:
        yield address


@pytest.fixture
def page(context: BrowserContext, app: str) -> Page:
    return open_page(context, app)


def stepped(loaded: LoadedModel, text: str, name: str) -> np.ndarray:
    """The activations of this name, read one character at a time: (T, rows)."""
    output, rows = loaded.decoder.prefill([]), []
    for id in loaded.vocab.encode(text):
        output = loaded.decoder.step(id, output.state)
        rows.append(output.activations[name])
    return np.stack(rows)


def legend(page: Page) -> list[str]:
    return [page.locator(part).inner_text() for part in (".cr-least", ".cr-most")]


def number(shown: str) -> float:
    return float(shown.replace("−", "-"))


def hovered(page: Page, position: int, row: int) -> tuple[str, int, float, float]:
    """Hover over a cell -> its row, value and change as the page shows them."""
    page.locator(".cr-canvas").evaluate("canvas => canvas.scrollIntoView({ block: 'end' })")
    box = page.locator(".cr-canvas").bounding_box()
    assert box
    first, shown, height = page.evaluate(
        "(({ from, columns, rowHeight }) => [from, columns, rowHeight])(charrnn.live.map)"
    )
    x = box["x"] + (position - first + 0.5) * box["width"] / shown
    page.mouse.move(x, box["y"] + (row + 0.5) * height)
    words = page.locator(".cr-values").inner_text()
    pattern = r"(\w+) (\d+) after “.”: ([+−]?[\d.]+) \(changed by ([+−]?[\d.]+)\) · character (\d+) of \d+"
    found = re.fullmatch(pattern, words)
    assert found and int(found[5]) == position + 1, words
    return found[1], int(found[2]), number(found[3]), number(found[4])


def test_switched_models_read_the_same_text(page: Page, store: Store):
    before = text(page)
    options = page.locator("#cr-model option").all_text_contents()
    assert [option.split(" · ")[0] for option in options] == [
        LoadedModel.title_of(info) for info in store.checkpoints()
    ]
    facts = r" · (\d[\d,]+|[\d.]+ million) weights · 2\.16 bits per character$"
    assert all(re.search(facts, option) for option in options)
    heights = set()
    for name, view in (("rnn", "h"), ("lstm", "h"), ("gru", "h"), ("minigpt", "layer 6"), ("lstm-layernorm", "h")):
        choose(page, name)
        assert text(page) == before
        expected = stepped(store.load(name), before, view)
        np.testing.assert_allclose(columns(page), expected, rtol=1e-3, atol=1e-4)
        order = page.evaluate("charrnn.live.map.rows")
        assert sorted(order) == list(range(SMALL[name]["hidden_dim"]))
        scale = store.load(name).view(view).scale
        for position in (len(before) - 1, len(before) - 7):
            colors = canvas_column(page, position)
            assert np.abs(shades(expected[position][order] / scale.high) - colors).max() <= 2
        expect(page.locator(".cr-source")).to_contain_text(LoadedModel.title_of(store.load(name).info))
        heights.add(page.evaluate("charrnn.live.map.rowHeight"))
    assert len(heights) > 2  # rows are taller if there are few


def test_gates_match_the_decoder_on_a_0_to_1_scale(page: Page, store: Store):
    for name, gates in (("lstm", "ifo"), ("gru", "rz")):
        choose(page, name)
        for gate in gates:
            show_view(page, gate)
            assert legend(page) == ["0", "1"]
            expected = stepped(store.load(name), text(page), gate)
            np.testing.assert_allclose(columns(page), expected, rtol=1e-3, atol=1e-4)
    choose(page, "lstm")
    show_view(page, "f")
    expect(page.locator(".cr-map-title")).to_contain_text("Forget gate f: 28 numbers after")
    expect(page.locator(".cr-see")).to_contain_text("Orange remembers")
    expected, last = stepped(store.load("lstm"), text(page), "f"), len(text(page)) - 1
    for position, row in ((last, 3), (last - 40, 11)):
        what, unit, value, change = hovered(page, position, row)
        assert what == "Unit" and unit == page.evaluate(f"charrnn.live.map.rows[{row}]")
        assert value == pytest.approx(expected[position, unit], abs=0.0052)
        assert change == pytest.approx(expected[position, unit] - expected[position - 1, unit], abs=0.0052)
    order = page.evaluate("charrnn.live.map.rows")
    assert np.abs(shades(expected[last - 3][order]) - canvas_column(page, last - 3)).max() <= 2  # paper to orange


def test_cell_state_has_its_own_scale(page: Page, store: Store):
    choose(page, "lstm")
    show_view(page, "c")
    expected, scale = stepped(store.load("lstm"), text(page), "c"), store.load("lstm").view("c").scale
    assert np.abs(expected).max() > scale.high > 1
    assert legend(page) == [f"≤ −{scale.high:g}", f"≥ +{scale.high:g}"]
    order, last = page.evaluate("charrnn.live.map.rows"), len(text(page)) - 1
    position = last - 119 + int(np.abs(expected[-120:]).max(axis=1).argmax())
    colors = canvas_column(page, position)
    assert np.abs(shades(expected[position][order] / scale.high) - colors).max() <= 2
    row = order.index(int(np.abs(expected[position]).argmax()))  # the color is clipped to the scale, the number not
    _, unit, value, change = hovered(page, position, row)
    assert abs(value) > scale.high
    assert value == pytest.approx(expected[position, unit], abs=0.06)
    assert change == pytest.approx(expected[position, unit] - expected[position - 1, unit], abs=0.06)


def test_changes_are_shown_without_a_request(page: Page, store: Store):
    page.evaluate("charrnn.live.record.isSame = true")  # an answer would replace the record
    open_options(page)
    button = page.get_by_role("button", name="Δh")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert legend(page) == ["−2", "+2"]
    expect(page.locator(".cr-map-title")).to_contain_text("Change of the hidden state Δh")
    expect(page.locator(".cr-see")).to_contain_text("Pale: kept.")
    expected, order = stepped(store.load("rnn"), text(page), "h"), page.evaluate("charrnn.live.map.rows")
    position = len(text(page)) - 5
    change = (expected[position] - expected[position - 1])[order]
    assert np.abs(shades(change / 2) - canvas_column(page, position)).max() <= 2
    assert page.evaluate("charrnn.live.record.isSame") is True
    choose(page, "minigpt")  # changes stay selected
    scale = store.load("minigpt").view("layer 6").scale
    assert legend(page) == [f"≤ −{scale.change:g}", f"≥ +{scale.change:g}"]
    expect(page.locator(".cr-change")).to_have_text("changes Δx₆")


def test_transformer_layers_are_chosen_by_keyboard(page: Page, store: Store):
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
    show_view(page, "embedding")
    shown = text(page)
    first, second = [i for i, character in enumerate(shown) if character == "O"][:2]
    kept = columns(page)
    assert (kept[first] == kept[second]).all()  # each character by itself
    page.locator(".cr-canvas").click(position={"x": 400, "y": 60})
    assert re.fullmatch(r"dimension \d+", page.locator(".cr-color-key b").inner_text())


def test_view_falls_back_for_models_without_it(page: Page):
    choose(page, "lstm")
    show_view(page, "c")
    for name, shown in (("rnn", "h"), ("minigpt", "layer 6"), ("gru", "h"), ("lstm", "c")):
        choose(page, name)
        assert page.evaluate("charrnn.live.record.view.name") == shown
        pressed = page.locator('.cr-shown button[aria-pressed="true"]')
        assert pressed.get_attribute("data-value") == shown
        assert page.locator(".cr-shown").is_visible() == (name != "rnn")  # a single view is no choice


def test_changed_view_or_model_keeps_text_and_cursor(page: Page):
    page.locator(".cr-text").evaluate("box => (box.scrollTop = 0)")
    page.locator(".cr-line span").nth(30).click()
    page.locator(".cr-line span").nth(30).evaluate("span => (span.marked = 'the same')")
    page.mouse.move(5, 5)
    choose(page, "gru")
    show_view(page, "z")
    page.wait_for_timeout(200)
    assert page.evaluate("charrnn.live.cursor") == 30
    assert page.locator(".cr-text").evaluate("box => box.scrollTop") == 0
    assert page.locator(".cr-line span").nth(30).evaluate("span => span.marked") == "the same"


def test_many_layers_are_offered_in_a_list(page: Page, store: Store):
    choose(page, "deep")
    chosen = page.locator(".cr-shown-list")
    expect(chosen).to_be_visible()
    expect(page.locator(".cr-shown")).to_be_hidden()
    assert len(chosen.locator("option").all()) == 13
    chosen.select_option("layer 10")
    page.wait_for_function("charrnn.live.record.view.name === 'layer 10'")
    expect(page.locator(".cr-map-title")).to_contain_text("Residual stream x₁₀: 32 numbers")
    expected = stepped(store.load("deep"), text(page), "layer 10")
    np.testing.assert_allclose(columns(page), expected, rtol=1e-3, atol=1e-4)


def test_many_units_share_the_canvas_height(page: Page, store: Store):
    choose(page, "wide")
    show_view(page, "z")
    expect(page.locator(".cr-see")).to_contain_text("More rows than pixels")
    assert page.locator(".cr-canvas").evaluate("canvas => canvas.clientHeight") == 280 + 18
    expected, last = stepped(store.load("wide"), text(page), "z"), len(text(page)) - 1
    order, rows = page.evaluate("charrnn.live.map.rows"), (2, 350, 699)
    assert sorted(order) == list(range(700))
    for row in rows:  # several rows share a line of pixels
        _, unit, value, _ = hovered(page, last - 10, row)
        assert abs(order.index(unit) - row) <= 2
        assert value == pytest.approx(expected[last - 10, unit], abs=0.0052)
    halves = expected[last][order].repeat(2).reshape(280, 5)  # two and a half rows a line
    lines = ((np.arange(700) + 0.5) * 0.4).astype(int)
    assert np.abs(shades(halves.mean(axis=1))[lines] - canvas_column(page, last)).max() <= 3


def test_no_view_scrolls_sideways(context: BrowserContext, app: str):
    page = open_page(context, app)
    open_options(page)
    for name in ("minigpt", "lstm"):
        choose(page, name)
        page.locator(".cr-change").click()
        for width in (360, 768, 1024):
            page.set_viewport_size({"width": width, "height": 844})
            assert overflow(page) <= 0, (name, width)
        page.set_viewport_size(WIDE)


# ------------------------------------------------------------------ endpoints


def test_every_endpoint_accepts_every_model(app: str, store: Store):
    listed = {model["name"]: model for model in call(app, "models")}
    assert {name: model["config"] for name, model in listed.items()} == {
        info.name: info.config for info in store.checkpoints()
    }
    assert {name: model["sha256"] for name, model in listed.items()} == {
        info.name: info.sha256 for info in store.checkpoints()
    }
    text = "What, is the king but sleeping? " * 8
    for name in SMALL:
        loaded = store.load(name)
        continuation = call(app, "write", "ROMEO:", name, 40, 0.8, 20, 0.95, 0.01, 7, -1)
        assert continuation == generated(loaded.checkpoint, "ROMEO:", 40, 7, SamplingSettings(0.8, 20, 0.95, 0.01))
        rows = call(app, "next_characters", text, name, 0.7, 10, 0.9, 0.0, -1)
        logits = loaded.decoder.prefill(loaded.vocab.encode(text)).logits
        expected = distribution(logits, SamplingSettings(0.7, 10, 0.9))
        assert "".join(row["character"] for row in rows) == loaded.vocab.decode(expected.order.tolist())
        np.testing.assert_allclose([row["probability"] for row in rows], expected.probs, atol=1e-12)
        np.testing.assert_allclose([row["raw"] for row in rows], expected.raw, rtol=1e-6)
        flow = call(app, "gradient_flow", text, name, -1)
        expected = gradient_flow(loaded.checkpoint.model, loaded.vocab.encode(text), 128, 512)
        np.testing.assert_allclose(flow["median"], expected.median, rtol=1e-6)
