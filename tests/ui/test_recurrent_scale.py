"""Recurrent scale and saved steps of Gradients, against scaled models."""

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from charrnn.checkpoint import load
from charrnn.gradient_flow import gradient_flow, lyapunov_exponents, product_norms, scale_recurrent
from charrnn.sampling import SamplingSettings
from charrnn.ui.gradients import over_training, recurrent_scale
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import IsCurrent, ViewQuery
from tests.trained_checkpoints import TEXT
from tests.ui.compare_helpers import always, decoded
from tests.ui.conftest import open_page
from tests.ui.page_actions import generated, set_more, use_text

pytestmark = pytest.mark.usefixtures("no_corpus")

CUSTOM_TEXT = TEXT[200:800]


@pytest.fixture
def store(trained: Path) -> Store:
    return Store(trained)


def scaled_answers(store: Store, name: str, is_current: IsCurrent = always, **form: Any) -> list[dict[str, Any]]:
    query = ViewQuery(choice=Choice(name, None), form={"text": CUSTOM_TEXT, **form})
    return decoded(recurrent_scale.scaled_variants(store, query, is_current))


def traces(answer: dict[str, Any], figure: str) -> dict[str, Any]:
    """The traces of a figure by name."""
    return {trace.get("name"): trace for trace in json.loads(answer["figures"][figure]["figure"])["data"]}


def values(packed: Any) -> np.ndarray:
    """The values of a list or of an array packed by Plotly."""
    if isinstance(packed, dict):
        return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])
    return np.array([np.nan if value is None else value for value in packed])


def written(trained: Path, name: str, g: float, prompt: str, settings: SamplingSettings, seed: int) -> str:
    """The text of the model with scaled recurrent weights in its state dict."""
    checkpoint = load(trained / name)
    checkpoint.model.state_dict()["cell.W_hh.weight"].mul_(g)
    return generated(checkpoint, prompt, 200, seed, settings)


def exponent_text(found):
    """Format the exponent with Student's interval: quantile 4.30 to 2.13."""
    quantile = {3: 4.27, 4: 3.18, 5: 2.776, 6: 2.571, 7: 2.447, 9: 2.306, 16: 2.131}[found.stretches]
    ends = (found.exponents[0] + sign * quantile * found.errors[0] for sign in (-1, 1))
    assert found.interval == pytest.approx(tuple(ends), abs=1e-2 * found.errors[0])
    low, high = found.interval
    return f"{found.exponents[0]:+.4f} ({low:+.4f} to {high:+.4f})".replace("-", "−")


@pytest.mark.parametrize(("name", "gate", "rows"), [("rnn", "h", slice(0, 16)), ("gru", "z", slice(16, 32))])
def test_scaled_analyses_match_the_scaled_model(store, trained, name, gate, rows):
    answer = scaled_answers(store, name, knob=0.7, gate=gate)[-1]
    checkpoint = load(trained / name)
    model, ids = checkpoint.model, checkpoint.vocab.encode(CUSTOM_TEXT)
    for title, g in (("× 1", 1.0), ("× 0.70", 0.7)):
        flow, norms = (
            gradient_flow(scale_recurrent(model, g), ids),
            product_norms(scale_recurrent(model, g), ids, positions=32),
        )
        line = values(traces(answer, "curve")[title]["y"])
        assert np.allclose(line[flow.median >= 1e-12], flow.median[flow.median >= 1e-12], rtol=1e-9)
        assert np.allclose(values(traces(answer, "product")[title]["y"]), norms.median, rtol=1e-9)
        cloud = traces(answer, "cloud")[title]
        W = g * model.state_dict()["cell.W_hh.weight"].double().numpy()[rows]
        found = values(cloud["x"]) + 1j * values(cloud["y"])
        assert np.allclose(np.poly(found), np.poly(W), rtol=1e-5, atol=1e-9)
        exponent = lyapunov_exponents(scale_recurrent(model, g), ids)
        cells = {row["cells"][0]["text"]: row["cells"][1:] for row in answer["table"]["rows"]}
        column = [each["title"] for each in answer["table"]["columns"]].index(title) - 1
        said = exponent_text(exponent)
        assert cells["growth rate per step (first Lyapunov exponent), nats"][column]["text"] == said
        assert f" multiplies it by {math.exp(exponent.exponents[0]):.3f} (" in answer["words"]
        of = "W_hh" if name == "rnn" else "gate z"
        assert cells[f"{of}: spectral radius ρ"][column]["text"] == f"{abs(np.linalg.eigvals(W)).max():.2f}"
        assert cells[f"{of}: largest singular value"][column]["text"] == f"{np.linalg.svd(W)[1][0]:.2f}"
    assert answer["gates"] == (["h"] if name == "rnn" else ["r", "z", "n"]) and answer["gate"] == gate


def test_fast_results_come_first_and_are_cached(store, monkeypatch):
    streamed = scaled_answers(store, "lstm", knob=1.3)
    figures = [sorted(answer["figures"]) for answer in streamed]
    assert figures == [[], ["cloud"], ["cloud", "curve"], ["cloud", "curve"], ["cloud", "curve", "product"]]
    assert [answer["busy"] for answer in streamed] == [True] * 4 + [False]
    for name in ("gradient_flow", "iter_product_norms", "lyapunov_exponents"):
        monkeypatch.setattr(recurrent_scale, name, None)
    assert scaled_answers(store, "lstm", knob=1.3)[-1] == streamed[-1]
    without_bound = {None, "× 1", "× 1.30", "× 1, gradient", "× 1.30, gradient"}
    assert set(traces(streamed[-1], "product")) == without_bound


def test_unscaled_model_has_no_second_variant(store):
    answer = scaled_answers(store, "rnn", knob=1.0)[-1]
    assert set(traces(answer, "cloud")) == {"× 1"} and len(answer["table"]["columns"]) == 2


def test_newer_scale_stops_the_measurement(store):
    is_current = iter([True] * 5)
    streamed = scaled_answers(store, "rnn", is_current=lambda: next(is_current, False), knob=0.55)
    assert len(streamed) == 4  # in the middle of the product


@pytest.mark.parametrize(
    ("name", "form", "reason"),
    [
        ("minigpt", {}, "MiniGPT has no recurrent weights"),
        ("rnn", {"knob": 3}, "knob is 3: give 0.5 to 1.6"),
        ("rnn", {"knob": float("nan")}, "knob is nan"),
        ("rnn", {"text": "night"}, "at least 130"),
    ],
)
def test_invalid_scale_queries_are_refused(store, name, form, reason):
    with pytest.raises(ValueError, match=reason):
        scaled_answers(store, name, **form)


def test_lyapunov_exponent_uses_the_beginning_of_long_text(store, trained, monkeypatch):
    monkeypatch.setattr(recurrent_scale, "EXPONENT_CHARS", 301)
    model = load(trained / "rnn").model
    found = lyapunov_exponents(model, load(trained / "rnn").vocab.encode(CUSTOM_TEXT[:301]))
    answer = scaled_answers(store, "rnn", knob=1.0)[-1]
    assert f"step multiplies it by {math.exp(found.exponents[0]):.3f} (" in answer["words"]
    assert answer["words"].endswith("; in the long run over 256 characters.")


def test_short_text_has_no_lyapunov_exponent(store):
    answer = scaled_answers(store, "rnn", text=TEXT[:150])[-1]
    assert "each step" not in answer["words"] and "at 21 places" in answer["words"] and "product" in answer["figures"]
    assert "product" not in scaled_answers(store, "rnn", text=TEXT[:150], product=False)[-1]["figures"]


# ------------------------------------------------------------------ over training


def test_every_saved_step_has_a_curve(store, trained):
    query = ViewQuery(choice=Choice("gru", None), form={"text": CUSTOM_TEXT})
    streamed = decoded(over_training.saved_steps(store, query, always))
    steps = store.load("gru").info.saved_steps
    assert len(streamed) == len(steps) + 1 and len(steps) > 2 and not streamed[-1]["busy"]
    lines = {trace.get("name"): trace for trace in streamed[-1]["figure"]["data"]}
    for step in steps:
        checkpoint = load(trained / "gru", step)
        flow = gradient_flow(checkpoint.model, checkpoint.vocab.encode(CUSTOM_TEXT))
        line = values(lines[f"step {step}"]["y"])
        assert np.allclose(line[flow.median >= 1e-12], flow.median[flow.median >= 1e-12], rtol=1e-9)
    with pytest.raises(
        ValueError, match="only the final network of .* was saved: choose Vanilla RNN, GRU, LSTM, MiniGPT"
    ):
        list(over_training.saved_steps(store, ViewQuery(choice=Choice("rnn-layernorm", None)), bool))


def test_clipping_figure_needs_the_study_file(tmp_path):
    (answer,) = over_training.clipping(ViewQuery(), over_training.STUDY)
    rows = json.loads(over_training.STUDY.read_text(encoding="utf-8"))["clipping"]["rows"]
    lines = {trace.get("name"): trace for trace in json.loads(answer)["figure"]["data"]}
    first = [row for row in rows if row["seed"] == 0]
    assert len(rows) > len(first) == 6 and len(lines.keys() - {None}) == 7  # one of ReLU
    for row in first:
        name = f"tanh, learning rate {row['learning_rate']:g}, {'' if row['max_grad_norm'] else 'not '}clipped"
        assert values(lines[name]["y"]).tolist() == row["curve"]["grad_norm_max"]
    for broken in ("{}", "[]", "no json"):
        (tmp_path / "study.json").write_text(broken)
        with pytest.raises(ValueError, match="no runs found: run python scripts/study.py clipping"):
            list(over_training.clipping(ViewQuery(), tmp_path / "study.json"))


# ------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def page(file_context: BrowserContext, trained_app: str) -> Page:
    """One page for all of them, opened by a link at 0.7."""
    return open_page(file_context, trained_app + "?tab=gradients&model=gru&knob=0.7&seed=5")


def wait_for_scale(page: Page, title: str) -> None:
    part = page.locator("#cr-knob")
    part.scroll_into_view_if_needed()
    expect(part.locator(".cr-plot-words").first).to_contain_text(title)
    page.wait_for_function("!document.querySelector('#cr-knob .cr-busy')")


def names(page: Page, figure: str) -> list[str]:
    return page.evaluate(f"document.querySelector('[data-figure={figure}]').data.map((trace) => trace.name ?? '')")


def test_scale_set_by_link_and_key_updates_everything(page: Page, trained: Path):
    part, slider = page.locator("#cr-knob"), page.locator("#cr-knob-g")
    wait_for_scale(page, "× 0.70")
    assert page.evaluate("document.documentElement.scrollHeight") <= 2000, "the tab takes three screens"
    expect(slider).to_have_value("0.7")
    expect(slider).to_have_attribute("aria-valuetext", "0.70")
    assert {"× 1", "× 0.70"} <= set(names(page, "curve")) & set(names(page, "cloud"))
    part.get_by_text("The most that k steps can amplify").click()
    expect(part.locator("[data-figure=product] .plot-container")).to_be_visible()
    assert {"× 1", "× 0.70"} <= set(names(page, "product"))
    texts = part.locator(".cr-written")
    expected = written(trained, "gru", 0.7, "ROMEO:\n", SamplingSettings(0.8), 5)
    assert texts.nth(1).evaluate("e => e.textContent") == expected
    radius = "document.querySelector('[data-figure=cloud]')._fullData[1]"
    before = page.evaluate(f"Math.max(...[...{radius}.x].map((x, i) => Math.hypot(x, {radius}.y[i])))")
    slider.focus()
    page.keyboard.press("ArrowRight")
    wait_for_scale(page, "× 0.75")
    after = page.evaluate(f"Math.max(...[...{radius}.x].map((x, i) => Math.hypot(x, {radius}.y[i])))")
    assert after == pytest.approx(before / 0.7 * 0.75)
    assert page.evaluate("charrnn.recurrentScale") == 0.75
    part.get_by_text("gate r", exact=True).click()
    page.wait_for_timeout(100)
    wait_for_scale(page, "× 0.75")
    W = 0.75 * load(trained / "gru").model.state_dict()["cell.W_hh.weight"].double().numpy()[:16]
    reach = page.evaluate(f"Math.max(...[...{radius}.x].map((x, i) => Math.hypot(x, {radius}.y[i])))")
    assert reach == pytest.approx(abs(np.linalg.eigvals(W)).max(), rel=1e-5)
    part.get_by_role("button", name="Reset").click()
    wait_for_scale(page, "GRU, W_hh × 1:")
    expect(texts).to_have_count(1)
    expect(slider).to_be_focused()


def test_scale_view_follows_model_text_and_settings(page: Page, trained: Path):
    page.evaluate("charrnn.recurrentScale = 1.6; charrnn.emit('recurrent-scale')")
    wait_for_scale(page, "GRU, W_hh × 1.60")
    page.locator("#cr-model").select_option("rnn")
    wait_for_scale(page, "Vanilla RNN, W_hh × 1.60")
    assert {"× 1, bound", "× 1.60, bound"} <= set(names(page, "product"))
    expect(page.locator("#cr-knob .cr-gates")).to_be_hidden()
    use_text(page, CUSTOM_TEXT)
    wait_for_scale(page, "places in the text you typed or pasted")
    queued: list[str] = []
    page.on("request", lambda request: queued.append(request.url) if "/queue/join" in request.url else None)
    page.locator("#cr-temperature").fill("0.3")
    page.locator("#cr-knob").scroll_into_view_if_needed()
    expected = written(trained, "rnn", 1.6, "ROMEO:\n", SamplingSettings(0.3), 5)
    page.wait_for_function(
        "text => [...document.querySelectorAll('#cr-knob .cr-written')].at(-1)?.textContent === text", arg=expected
    )
    assert not queued, "the figures do not depend on the sampling settings"
    words = page.locator("#cr-knob .cr-text-words")
    set_more(page, seed=2**32)
    page.locator("#cr-seed").press("Tab")
    page.locator("#cr-knob").scroll_into_view_if_needed()
    expect(words).to_have_text("The seed must be a whole number from 0 to 4,294,967,295.")
    expect(page.locator("#cr-knob .cr-writers")).to_be_hidden()
    set_more(page, seed=6)
    page.locator("#cr-seed").press("Tab")
    page.locator("#cr-knob").scroll_into_view_if_needed()
    expect(words).to_contain_text(" in × 1.60 (")
    page.locator("#cr-model").select_option("minigpt")
    wait_for_scale(page, "MiniGPT has no recurrent")
    expect(words).to_contain_text("no recurrent weights")
    expect(page.locator("[data-figure=curve]")).to_be_hidden()


def test_headings_without_a_figure_are_hidden(page: Page):
    heading = page.locator("#cr-knob h3").filter(has_text="Eigenvalues")
    page.locator("#cr-model").select_option("minigpt")
    wait_for_scale(page, "no recurrent weights")
    expect(heading).to_be_hidden()
    expect(page.locator("#cr-knob h3:visible")).to_have_count(0)
    page.locator("#cr-model").select_option("rnn")
    wait_for_scale(page, "Vanilla RNN, W_hh")
    expect(heading).to_be_visible()
    expect(page.locator("#cr-knob [data-figure=cloud] .plot-container")).to_be_visible()


def test_over_training_follows_the_model(page: Page):
    page.locator("#cr-model").select_option("rnn")
    part, clipping = page.locator("#cr-over-training"), page.locator("#cr-clipping")
    part.scroll_into_view_if_needed()
    expect(page.locator("#cr-flow .cr-plot-words")).to_contain_text("of the learning signal is gone")
    expect(part.locator(".cr-plot-words")).to_have_text("Measuring …")  # a closed fold is not measured
    page.get_by_role("navigation", name="On this tab").get_by_role("link", name="During training").click()
    expect(part.locator("summary").first).to_be_focused()
    expect(part.locator(".cr-plot-words")).to_contain_text("Vanilla RNN: half of the signal is gone")
    expect(part.locator("tbody tr")).to_have_count(3)
    clipping.get_by_text("Does gradient clipping matter").click()
    expect(clipping.locator(".cr-plot-words")).to_contain_text("clipping changed nothing")


def test_text_of_a_chaotic_network_is_announced(page: Page):
    page.evaluate("charrnn.recurrentScale = 1.6; charrnn.emit('recurrent-scale')")
    page.get_by_role("button", name="Write the text with this").click()
    expect(page.locator(".cr-interventions")).to_contain_text("W_hh × 1.6: beyond × 1.2 the last digit")
