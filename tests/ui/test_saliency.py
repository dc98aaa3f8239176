"""The saliency map of the tab Gradients: influence on the character at the cursor."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import BrowserContext, Page, expect

from charrnn.checkpoint import load
from charrnn.gradient_flow import character_distance, input_saliency
from charrnn.invisible_chars import sign
from charrnn.ui.gradients.saliency import CHUNK, MAX_CHARS, chunks, saliencies
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.view_query import ViewQuery
from tests.small_models import save_all
from tests.ui.compare_helpers import always, decoded, side
from tests.ui.conftest import open_page

CUSTOM_TEXT = "To be, or not to be.\nWhat's here?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_all(tmp_path_factory.mktemp("small"))


def answers(store: Store, form: dict[str, Any], is_current: Callable[[], bool] = always) -> list[dict[str, Any]]:
    return decoded(saliencies(store, ViewQuery(form=form), is_current))


def expected(folder: Path, text: str, target: int) -> np.ndarray:
    """Return log10 of the influence on the logits, nearest first; −inf for none."""
    loaded = load(folder)
    ids = torch.tensor(loaded.vocab.encode(text))
    norms = input_saliency(loaded.model, ids, torch.tensor([target - 1]), 128)[:target, 0].numpy()
    with np.errstate(divide="ignore"):
        return np.log10(norms * character_distance(loaded.model))


def test_saliency_matches_package_nearest_cursor_first(folder: Path):
    pair = {"A": side("rnn", 40), "B": side("minigpt", 40)}
    streamed = answers(Store(folder), {"text": CUSTOM_TEXT * 4, "position": 70, **pair})
    assert streamed[0]["targets"] == [70] and streamed[0]["busy"] and not streamed[-1]["busy"]
    found = [dict(zip(answer["targets"], rows, strict=True)) for answer in streamed for rows in answer["heat"]]
    for place, name in enumerate(("rnn", "minigpt")):
        heat = {target: row for part in found[place::2] for target, row in part.items()}
        assert sorted(heat) == list(range(1, len(CUSTOM_TEXT) * 4))
        for target in (1, 2, 69, 70, 131):
            decades = expected(folder / name, CUSTOM_TEXT * 4, target)
            shown = [-math.inf if value is None else value / 100 for value in heat[target]]
            np.testing.assert_allclose(np.maximum(shown, -18), np.maximum(decades, -18), atol=0.0052)
    assert heat[131].count(None) == 129 - 16, "this MiniGPT has a context of 16 characters"


def test_chunks_cover_each_character_once():
    found = chunks(100, 30)
    assert sorted(sum(found, ())) == list(range(1, 100)) and max(map(len, found)) == CHUNK
    assert [chunk[0] for chunk in found] == [1, 41, 81]
    assert set(found) == set(chunks(100, 90)) and chunks(100, 90)[0][0] == 81


def test_saliency_is_cached_and_superseded(folder: Path, monkeypatch):
    store, form = Store(folder), {"text": CUSTOM_TEXT, "A": side("gru", 40), "B": side("lstm", 40)}
    first = answers(store, form)
    monkeypatch.setattr("charrnn.ui.gradients.saliency.character_saliency", lambda *_: pytest.fail("computed again"))
    assert [answer["heat"] for answer in answers(store, form)] == [answer["heat"] for answer in first]
    is_current = iter([True])
    assert len(answers(store, form, lambda: next(is_current, False))) == 1


def test_saliency_refuses_invalid_text(folder: Path):
    with pytest.raises(ValueError, match="2 characters or more"):
        answers(Store(folder), {"text": "→a"})
    with pytest.raises(ValueError, match=f"at most {MAX_CHARS}"):
        answers(Store(folder), {"text": "a" * (MAX_CHARS + 1)})


# ------------------------------------------------------------------ in a browser


def wait_for_saliency(page: Page) -> None:
    page.wait_for_function(
        "!document.querySelector('#cr-where .cr-busy') && document.querySelector('#cr-where .cr-heat-text span')"
        "&& !document.querySelector('#cr-where .cr-plot-words').textContent.includes('Measuring')"
    )


def test_saliency_follows_cursor_and_custom_text(context: BrowserContext, trained_app: str, trained: Path):
    page = open_page(context, trained_app)
    page.get_by_role("tab", name="Gradients").click()
    part = page.locator("#cr-where")
    part.scroll_into_view_if_needed()
    wait_for_saliency(page)
    first = part.locator(".cr-heat-text").first.locator("span")
    here = "document.querySelector('#cr-where .cr-heat-text .cr-here').position"
    text = page.evaluate("charrnn.live.text")
    assert "".join(first.all_text_contents()) == text[:MAX_CHARS] if len(text) <= MAX_CHARS else text[-MAX_CHARS:]
    start = max(0, len(text) - MAX_CHARS)
    assert start + page.evaluate(here) == page.evaluate("charrnn.live.cursor")
    page.evaluate("charrnn.emit('cursor-moved', -5)")
    page.wait_for_function(f"{here} === charrnn.live.cursor - {start}")
    part.locator(".cr-heat-texts").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"charrnn.live.cursor === {len(text) - 7} && {here} === {len(text) - 7 - start}")

    part.get_by_text("Choose the networks and the text").click()
    part.get_by_label("your own").fill(CUSTOM_TEXT)
    part.get_by_role("button", name="Use this text").click()
    expect(part.locator(".cr-plot-words")).to_contain_text(
        f"{len(CUSTOM_TEXT)} characters of the text you typed or pasted"
    )
    wait_for_saliency(page)
    status, readout = part.locator("[role=status]"), part.locator(".cr-readout")
    part.locator(".cr-heat-texts").focus()
    page.keyboard.press("End")
    for key, target in {
        "ArrowLeft": len(CUSTOM_TEXT) - 2,
        "Home": 1,
        "ArrowRight": 2,
        "End": len(CUSTOM_TEXT) - 1,
    }.items():
        page.keyboard.press(key)
        sentence = status.inner_text()
        assert sentence == readout.inner_text() and f"character {target + 1}." in sentence
        for title, name in (("A · Vanilla RNN", "rnn"), ("B · MiniGPT", "minigpt")):
            decades = expected(trained / name, CUSTOM_TEXT, target)
            back = int(decades.argmax())
            strongest = sentence.split(f"{title}: strongest ")[1]
            assert strongest.startswith(f"“{sign(CUSTOM_TEXT[target - 1 - back])}” {back + 1} back (")
            logits = float(strongest.split(" back (")[1].split()[0])
            assert logits == pytest.approx(10 ** decades[back], rel=0.06)
    styles = first.evaluate_all("all => all.map((span) => [span.className, span.style.background])")
    decades = expected(trained / "rnn", CUSTOM_TEXT, len(CUSTOM_TEXT) - 1)
    for back, value in enumerate(decades):
        name, color = styles[len(CUSTOM_TEXT) - 2 - back]
        assert ("cr-strong" in name) == (value >= 0) or abs(value) < 0.02
        assert bool(color) == (value > -4) or abs(value + 4) < 0.1
    assert styles[-1][0].split() == ["cr-here"]

    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
