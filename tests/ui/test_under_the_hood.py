"""The tab Under the hood: source trace, self-checks and step timing."""

import base64
import json
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio
import numpy as np
import pytest
import torch
from playwright.sync_api import BrowserContext, Page, expect

from charrnn.cells import CELLS, LSTMCell
from charrnn.tracing import read_character
from charrnn.training import Recipe
from charrnn.ui.server import error_location
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.prefix_cache import PrefixCache
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery
from charrnn.ui.under_the_hood import recorded_profile
from charrnn.ui.under_the_hood.live_timing import TimingLock, timing
from charrnn.ui.under_the_hood.self_checks import (
    SharedChecks,
    digest,
    measured,
    of_file,
    reference_sample,
    self_check_results,
    versions,
)
from charrnn.ui.under_the_hood.source_trace import cell_lines
from tests.small_models import save_all
from tests.test_self_checks import update_without_forget_gate
from tests.ui.conftest import CHECKPOINTS, ROOT, open_page
from tests.ui.page_actions import choose, show_view, text, write
from tests.ui.test_serving import serving

DIAGRAM_LINES = {
    "rnn": {"input + memory": ["self.W_hh(state.h)", "h = tanh("], "the new memory": ["h = tanh("]},
    "gru": {"keep the memory": ["z = sigmoid("]},
    "lstm": {"keep": ["f = sigmoid("], "what is kept": ["c = f * state.c + i * g"], "what is shown": ["h = o * tanh("]},
}
TEXT = "First Citizen: hear me, ye gods! " * 9


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(save_all(tmp_path_factory.mktemp("small")))


def query(model: str, form: Mapping[str, Any]) -> ViewQuery:
    return ViewQuery(form=form, choice=Choice(model, None))


def numbers(value: Mapping[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(value["numbers"]), "<f4")


def values_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The last value of each expression."""
    return {value["source"]: value for block in answer["blocks"] for line in block["lines"] for value in line["values"]}


def formatted(value: float) -> str:
    """A number as the page shows it."""
    size = f"{abs(value):.3f}"
    return ("−" if value < 0 and float(size) else "") + size


# ------------------------------------------------------------------ source trace


@pytest.mark.parametrize("model", ["rnn", "gru", "lstm-layernorm", "minigpt"])
def test_source_lines_show_values_of_the_last_character(small: Store, model: str):
    states = PrefixCache()
    loaded = small.load(model)
    for length in (1, 128, 129, 257, len(TEXT)):  # between the cached states, and at them
        (answer,) = map(json.loads, cell_lines(small, states, query(model, {"text": TEXT[:length]})))
        found = values_of(answer)
        shown = loaded.decoder.read(loaded.vocab.encode(TEXT[:length])).end.activations
        source = "h" if model != "minigpt" else "returned"
        expected = shown["h" if model != "minigpt" else "layer 6"]
        np.testing.assert_allclose(numbers(found[source]), expected, rtol=0, atol=1e-6)
    assert answer["units"] == loaded.info.hidden_dim and answer["layers"] == (6 if model == "minigpt" else 1)


def test_units_of_packed_gates_are_named(small: Store):
    (answer,) = map(json.loads, cell_lines(small, PrefixCache(), query("lstm-layernorm", {"text": "To be"})))
    units = {source: value["units"] for source, value in values_of(answer).items()}
    assert units["from_input + from_state"] == ["i", "f", "g", "o"] and units["c"] == [""]
    assert units["self.embed(ids)"] == units["self.head(h)"] == []
    (answer,) = map(json.loads, cell_lines(small, PrefixCache(), query("minigpt", {"text": "To be", "layer": 2})))
    units = {source: value["units"] for source, value in values_of(answer).items()}
    assert units["block.qkv(block.attention_norm(x))"] == ["q", "k", "v"] and units["q"] == units["x"] == [""]
    assert units["block.mlp_in(block.mlp_norm(x))"] == units["self.head(self.norm(streams[-1]))"] == []
    assert answer["layer"] == 2


def broken_update(self, from_input, from_state, state):
    return state.c[99999]


def test_source_trace_refuses_missing_or_invalid_text(small: Store):
    (answer,) = map(json.loads, cell_lines(small, PrefixCache(), query("rnn", {})))
    assert answer["words"].startswith("Nothing has been read yet") and "blocks" not in answer
    for form, said in (({"text": 7}, "text"), ({"text": "x" * 24_001}, "24000"), ({"text": "a", "layer": 0}, "layer")):
        with pytest.raises(ValueError, match=said):
            list(cell_lines(small, PrefixCache(), query("rnn", form)))


def test_cell_error_is_shown_with_its_source_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(save_all(tmp_path))
    monkeypatch.setattr(LSTMCell, "update", broken_update)
    path, line = Path(__file__).relative_to(ROOT), broken_update.__code__.co_firstlineno + 1
    monkeypatch.setattr(error_location, "PACKAGE", ROOT / "tests")
    for answers in (
        cell_lines(store, PrefixCache(), query("lstm", {"text": "To be"})),
        self_check_results(store, SharedChecks(), query("lstm", {})),
    ):
        (answer,) = map(json.loads, answers)
        assert answer["words"].startswith("IndexError: ") and "blocks" not in answer and "lines" not in answer
        assert f"raised at line {line} of {path}, in broken_update: return state.c[99999]" in answer["words"]


def shown_units(page: Page) -> dict[str, str]:
    """The value of the chosen unit in the last value of each expression."""
    return page.evaluate(
        """Object.fromEntries([...document.querySelectorAll('.cr-value')].map((row) =>
            ['name', 'unit'].map((part) => row.querySelector('.cr-value-' + part).textContent.trim())))"""
    )


def open_hood(context: BrowserContext, address: str) -> Page:
    page = open_page(context, address)
    page.get_by_role("tab", name="Under the hood").click()
    expect(page.locator(".cr-cell .cr-code-line").first).to_be_visible()
    return page


def expected_units(store: Store, model: str, read: str, unit: int, layer: int = 1) -> dict[str, str]:
    """The values that shown_units shows, from the package."""
    loaded = store.load(model)
    state = loaded.decoder.prefill(loaded.vocab.encode(read[:-1])).state
    (id,) = loaded.vocab.encode(read[-1])
    blocks, _ = read_character(loaded.checkpoint.model, id, state, layer)
    values = [value for block in blocks for line in block.lines for value in line.values]
    return {value.source: formatted(value.array.ravel()[unit]) for value in values if unit < value.array.size}


def test_source_trace_follows_the_cursor_and_a_unit(context: BrowserContext, app: str):
    store = Store(CHECKPOINTS)
    page = open_page(context, app)
    choose(page, "lstm")
    show_view(page, "h")  # of which the heatmap's value is compared below
    written = write(page, seed=5, characters=60, prompt="ROMEO:\nWhat <b>light</b>")
    page.get_by_role("tab", name="Under the hood").click()
    sources = page.locator(".cr-cell pre code")
    expect(sources.nth(3)).to_have_text('    i = sigmoid(norm["i"](i))')
    unit = page.get_by_role("spinbutton", name="unit")
    unit.fill("17")
    for back in (1, 2):  # the character at the cursor, then one before it
        read = written[: len(written) + 1 - back]
        expected = expected_units(store, "lstm", read, 17)
        page.wait_for_function(
            "([h]) => [...document.querySelectorAll('.cr-cell .cr-bound')].at(-1)"
            "?.querySelector('.cr-value-unit').textContent.trim() === h",
            arg=[expected["h"]],
        )
        shown = shown_units(page)
        for source in ("i", "f", "g", "o", "c", "h", 'tanh(norm["c"](c))', "state.h", "state.c"):
            assert shown[source] == expected[source], source
        on_heatmap = page.evaluate("charrnn.live.record.value(charrnn.live.cursor, 17)")
        assert abs(on_heatmap - float(shown["h"].replace("−", "-"))) < 1e-3
        assert page.evaluate("charrnn.live.cursor") == len(read) - 1
        if back == 1:
            unit.blur()
            page.keyboard.press("ArrowLeft")
    packed = shown["from_input + from_state"].split()
    assert packed[::2] == ["i", "f", "g", "o"]
    page.get_by_role("button", name="One character on").click()
    place = re.compile(f"character {len(written)} of {len(written)}$")
    expect(page.locator(".cr-hood-context")).to_have_attribute("aria-label", place)

    choose(page, "minigpt")
    page.get_by_role("combobox", name="block").select_option("2")
    expected = expected_units(store, "minigpt", text(page), 17, layer=2)
    page.wait_for_function(
        "([x]) => [...document.querySelectorAll('.cr-cell .cr-returned')].at(-1)"
        "?.querySelector('.cr-value-unit').textContent.trim() === x",
        arg=[expected["returned"]],
    )
    expect(page.locator(".cr-cell h3")).to_contain_text("transformer_block, charrnn/minigpt/equations.py")
    shapes = page.locator(".cr-cell .cr-shape")
    n = len(text(page))
    expect(shapes.filter(has_text="the last")).to_have_text([f"(1, 4, {n}, 32), the last of {n} positions"] * 2)
    activations = store.load("minigpt").decoder.read(store.load("minigpt").vocab.encode(text(page))).end.activations
    low, mean, high = (formatted(getattr(activations["layer 2"], name)()) for name in ("min", "mean", "max"))
    foot = page.locator(".cr-cell .cr-returned .cr-value-foot")
    expect(foot).to_contain_text(f"min {low} mean {mean} max {high}")
    strip = page.locator(".cr-cell .cr-returned .cr-strip")
    box = strip.bounding_box()
    assert box
    strip.click(position={"x": (40 + 0.5) / 128 * box["width"], "y": 5})
    expect(unit).to_have_value("40")


def test_diagram_highlights_the_lines_it_names(context: BrowserContext, app: str):
    page = open_hood(context, app)
    lit = page.locator(".cr-lit pre > code")
    for cell, boxes in DIAGRAM_LINES.items():
        choose(page, cell)
        expect(page.locator(".cr-cell h3")).to_contain_text(f"{CELLS[cell].__name__}.update")
        for words, lines in boxes.items():
            box = page.locator(".cr-hood-diagram button", has_text=words)
            box.click()
            expect(box).to_have_attribute("aria-pressed", "true")
            expect(lit).to_have_text([re.compile(re.escape(line)) for line in lines])
    last = page.locator(".cr-cell .cr-bound .cr-value-unit").last.inner_text().strip()
    expect(page.locator(".cr-box-number").nth(-2)).to_have_text(last)  # h
    box.click()
    expect(lit).to_have_count(0)


# ------------------------------------------------------------------ self-checks


@pytest.mark.parametrize("model", ["rnn", "gru", "lstm-layernorm", "minigpt"])
def test_self_checks_cover_every_claim(small: Store, model: str):
    (answer,) = map(json.loads, self_check_results(small, SharedChecks(), query(model, {})))
    lines = {line["claim"]: line for line in answer["lines"]}
    assert answer["failing"] == 0 and answer["words"].startswith("All of these hold.")
    assert ("Hand-written backprop matches autograd" in lines) == (model != "minigpt")
    assert float(lines["Reading in pieces = reading at once"]["value"]) < 1e-10
    assert lines["torch"]["value"] == torch.__version__ and lines["gradio"]["value"] == gradio.__version__
    loaded = small.load(model)
    drawn = reference_sample(loaded)
    assert drawn and lines["Server and Python write the same text"]["value"] == drawn["digest"] == digest(drawn["text"])
    assert lines["The checkpoint's file has not changed"]["value"] == loaded.info.sha256[:12]


def test_self_checks_report_changed_file_and_version(tmp_path: Path):
    store = Store(save_all(tmp_path))
    loaded = store.load("gru")
    with (tmp_path / "gru" / "model.safetensors").open("ab") as file:
        file.write(b" ")
    assert [line["holds"] for line in of_file(loaded)] == [False, None]
    pins = tmp_path / "requirements.txt"
    pins.write_text("torch==1.0.0")
    lines = {line["claim"]: line["holds"] for line in versions(pins)}
    assert lines["torch"] is False and lines["numpy"] is None


def test_waiting_self_checks_share_one_measurement(small: Store, monkeypatch: pytest.MonkeyPatch):
    began, may_end, measurements = threading.Event(), threading.Event(), SharedChecks()
    calls = []

    def slow(loaded: Any) -> list[dict[str, Any]]:
        calls.append(loaded)
        began.set()
        assert may_end.wait(30)
        return measured(loaded)

    monkeypatch.setattr("charrnn.ui.under_the_hood.self_checks.measured", slow)
    threads = [threading.Thread(target=measurements.of, args=[small.load("gru")]) for _ in range(5)]
    threads[0].start()
    assert began.wait(30)
    for thread in threads[1:]:
        thread.start()
    while measurements.waiting < 4:
        time.sleep(0.01)
    may_end.set()
    for thread in threads:
        thread.join()
    assert len(calls) == 2


def checks(page: Page) -> dict[str, list[str]]:
    """The self-checks: claim -> [state, measured, how]."""
    return page.evaluate(
        """Object.fromEntries([...document.querySelectorAll('.cr-checks li')].map((line) => {
            const part = (name) => line.querySelector('.cr-' + name).textContent;
            return [part('claim'), [part('check-state'), part('measured'), part('how')]];
        }))"""
    )


@pytest.mark.smoke
def test_self_checks_name_a_planted_bug(context: BrowserContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with serving(save_all(tmp_path)) as (store, address):
        page = open_page(context, address)
        choose(page, "lstm")
        page.get_by_role("tab", name="Under the hood").click()
        summary = page.locator(".cr-trust summary")
        expect(page.locator(".cr-checks li")).to_have_count(0)
        summary.click()
        expect(summary).to_contain_text("✓ every check passes")
        found = checks(page)
        drawn = reference_sample(store.load("lstm"))
        assert drawn and found["So does this page's sampler"][:2] == ["✓ passes", drawn["digest"]]
        assert "120 of 120 characters" in found["So does this page's sampler"][2]
        assert found["Our LSTM matches PyTorch's"][0] == "✓ passes"
        assert float(found["Our LSTM matches PyTorch's"][1]) < 1e-12
        assert found["torch"][1] == torch.__version__

        monkeypatch.setattr(LSTMCell, "update", update_without_forget_gate)
        page.get_by_role("button", name="Measure again").click()
        expect(summary).to_contain_text("checks fail")
        found = checks(page)
        wrong = [claim for claim, (state, _, _) in found.items() if state == "✗ FAILS"]
        assert {"Our LSTM matches PyTorch's", "Hand-written backprop matches autograd"} <= set(wrong)
        assert found["Our GRU matches PyTorch's"][0] == "✓ passes"
        assert float(found["Our LSTM matches PyTorch's"][1]) > 1e-3
        expect(page.locator("#cr-trust .cr-plot-words")).to_contain_text("Our LSTM matches PyTorch's")


# ------------------------------------------------------------------ step timing

TINY = Recipe(batch=2, seq_len=8, hidden_dim=8)
RECORD = {"batch": 64, "seq_len": 128, "rows": [{"name": "MiniGPT", "median_ms": 819.2, "loop_share": 0.0}]}


def test_live_timing_reports_progress_then_sections():
    answers = [json.loads(answer) for answer in timing(TimingLock(), ViewQuery(number=3), lambda: True, RECORD, TINY)]
    *progress, last = answers
    assert [answer["share"] for answer in progress] == sorted(answer["share"] for answer in progress)
    assert all(answer["busy"] and answer["number"] == 3 for answer in progress) and progress[-1]["share"] == 1
    assert len({answer["part"] for answer in answers}) == len(answers)
    names = [row["cells"][0]["text"] for row in last["table"]["rows"]]
    assert names == ["plain loop", "torch.nn.RNN", "charrnn rnn", "MiniGPT"]
    of_minigpt = [cell.get("value") for cell in last["table"]["rows"][3]["cells"]]
    assert of_minigpt[2] == pytest.approx(1000 * of_minigpt[1] / 16) and of_minigpt[3] == pytest.approx(100.0)
    assert [trace["name"] for trace in last["figure"]["data"]][1] == "loop over T"
    parts = {trace["name"]: trace["x"][3] for trace in last["figure"]["data"]}
    assert parts["backward: blocks"] > 0 and parts["loop over T"] is None
    assert f"torch {torch.__version__}" in last["words"] and "batch 2, 8 characters, 8 units" in last["words"]


def test_only_one_live_timing_runs_at_a_time():
    lock, is_current = TimingLock(), True
    first = timing(lock, ViewQuery(), lambda: is_current, RECORD, TINY)
    next(first)
    (answer,) = map(json.loads, timing(lock, ViewQuery(), lambda: True, RECORD, TINY))
    assert answer["words"].startswith("Another measurement is running") and "busy" not in answer
    is_current = False  # stopped in the middle of a step
    second: Any = timing(lock, ViewQuery(), lambda: True, RECORD, TINY)
    assert json.loads(next(second))["busy"]
    assert list(first) == []
    (answer,) = map(json.loads, timing(lock, ViewQuery(), lambda: True, RECORD, TINY))
    assert answer["words"].startswith("Another measurement is running"), "the first released the second's lock"
    second.close()
    assert json.loads(next(timing(lock, ViewQuery(), lambda: True, RECORD, TINY)))["busy"]


def test_live_timing_runs_stops_and_is_exclusive(context: BrowserContext, app: str):
    page, other = open_hood(context, app), open_hood(context, app)
    part, of_other = page.locator("#cr-time-it"), other.locator("#cr-time-it")
    start, stop = (part.get_by_role("button", name=name) for name in ("Measure on this server", "Stop"))
    start.click()
    expect(part.locator(".cr-plot-words")).to_contain_text("Measuring:")
    of_other.get_by_role("button", name="Measure on this server").click()
    expect(of_other.locator(".cr-plot-words")).to_contain_text("Another measurement is running")
    stop.click()
    expect(part.locator(".cr-plot-words")).to_have_text("Stopped.")
    expect(start).to_be_enabled()
    expect(start).to_be_focused()
    start.click()
    expect(part.locator(".cr-table tbody tr")).to_have_count(4)
    expect(part.locator(".cr-plot-words")).to_contain_text("Measured just now on")
    figures = part.locator(".cr-table tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    recorded = {row["name"]: row for row in json.loads(recorded_profile.RECORD.read_text())["rows"]}
    for name, ms, microseconds, before, _, share in figures:
        assert float(microseconds) == pytest.approx(float(ms) / 64 / 64 * 1000, abs=0.02)
        assert float(before) == pytest.approx(recorded[name]["median_ms"] / 64 / 128 * 1000, abs=0.006)
        assert share == f"{recorded[name]['loop_share']:.0%}"
    page.wait_for_function("document.querySelector('#cr-time-it .cr-plot').data?.length > 5")
