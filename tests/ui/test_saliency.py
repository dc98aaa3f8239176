"""Gradients, where it goes: the text coloured by what each character means to the one at the cursor."""

import json
import math
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
from charrnn.ui.server.view_query import ViewQuery, until_superseded
from tests.small_models import save_all
from tests.ui.conftest import CHECKPOINTS, open_page

OWN = "To be, or not to be.\nWhat's here?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_all(tmp_path_factory.mktemp("small"))


def answers(store: Store, form: dict[str, Any], wanted: Any = lambda: True) -> list[dict[str, Any]]:
    return [json.loads(told) for told in until_superseded(saliencies(store, ViewQuery(form=form), wanted))]


def expected(folder: Path, text: str, target: int) -> np.ndarray:
    """Decades of logits for the characters before the target, the nearest first; −inf for nothing at all."""
    loaded = load(folder)
    ids = torch.tensor(loaded.vocab.encode(text))
    norms = input_saliency(loaded.model, ids, torch.tensor([target - 1]), 128)[:target, 0].numpy()
    with np.errstate(divide="ignore"):
        return np.log10(norms * character_distance(loaded.model))


def test_saliency_matches_connectivity_nearest_cursor_first(folder: Path):
    told = answers(Store(folder), {"text": OWN * 4, "position": 70})
    assert told[0]["targets"] == [70] and told[0]["busy"] and not told[-1]["busy"]
    found = [dict(zip(one["targets"], rows, strict=True)) for one in told for rows in one["heat"]]
    for side, name in enumerate(("rnn", "minigpt")):
        heat = {target: row for part in found[side::2] for target, row in part.items()}
        assert sorted(heat) == list(range(1, len(OWN) * 4))
        for target in (1, 2, 69, 70, 131):
            decades = expected(folder / name, OWN * 4, target)
            shown = [-math.inf if value is None else value / 100 for value in heat[target]]
            np.testing.assert_allclose(np.maximum(shown, -18), np.maximum(decades, -18), atol=0.0052)
    assert heat[131].count(None) == 129 - 16, "MiniGPT sees sixteen characters here"


def test_pieces_cover_each_character_once():
    some = chunks(100, 30)
    assert sorted(sum(some, ())) == list(range(1, 100)) and max(map(len, some)) == CHUNK
    assert [stretch[0] for stretch in some] == [1, 41, 81]
    assert set(some) == set(chunks(100, 90)) and chunks(100, 90)[0][0] == 81


def test_saliency_is_cached_and_superseded(folder: Path, monkeypatch):
    store, form = (
        Store(folder),
        {
            "text": OWN,
            "A": {"checkpoint": {"name": "gru", "step": 40}},
            "B": {"checkpoint": {"name": "lstm", "step": 40}},
        },
    )
    first = answers(store, form)
    monkeypatch.setattr("charrnn.ui.gradients.saliency.character_saliency", lambda *_: pytest.fail("it is known"))
    assert [one["heat"] for one in answers(store, form)] == [one["heat"] for one in first]
    assert first[0]["titles"] == ["A · GRU", "B · LSTM"]
    wanted = iter([True])
    assert len(answers(store, form, lambda: next(wanted, False))) == 1


def test_saliency_refuses_invalid_text(folder: Path):
    with pytest.raises(ValueError, match="2 characters or more"):
        answers(Store(folder), {"text": "→a"})
    with pytest.raises(ValueError, match=f"at most {MAX_CHARS}"):
        answers(Store(folder), {"text": "a" * (MAX_CHARS + 1)})


# ------------------------------------------------------------------ in a browser


def open_part(context: BrowserContext, app: str) -> Page:
    page = open_page(context, app)
    page.get_by_role("tab", name="Gradients").click()
    page.locator("#cr-where").scroll_into_view_if_needed()
    measured(page)
    return page


def measured(page: Page) -> None:
    page.wait_for_function(
        "!document.querySelector('#cr-where .cr-busy') && document.querySelector('#cr-where .cr-heat-text span')"
        "&& !document.querySelector('#cr-where .cr-plot-words').textContent.includes('Measuring')"
    )


def strongest(name: str, text: str, target: int) -> tuple[int, float]:
    decades = expected(CHECKPOINTS / name, text, target)
    return int(decades.argmax()), float(decades.max())


def test_saliency_follows_cursor_and_custom_text(context: BrowserContext, app: str):
    page = open_part(context, app)
    part = page.locator("#cr-where")
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

    part.get_by_label("your own").fill(OWN)
    part.get_by_role("button", name="Read this").click()
    expect(part.locator(".cr-plot-words")).to_contain_text(f"{len(OWN)} characters of the text you typed or pasted")
    measured(page)
    status, readout = part.locator("[role=status]"), part.locator(".cr-readout")
    part.locator(".cr-heat-texts").focus()
    page.keyboard.press("End")
    for key, target in {"ArrowLeft": len(OWN) - 2, "Home": 1, "ArrowRight": 2, "End": len(OWN) - 1}.items():
        page.keyboard.press(key)
        said = status.inner_text()
        assert said == readout.inner_text() and f"character {target + 1}." in said
        for title, name in (("A · Vanilla RNN", "rnn"), ("B · MiniGPT", "minigpt")):
            back, decades = strongest(name, OWN, target)
            told = said.split(f"{title}, in logits: ")[1]
            assert told.startswith(f"“{sign(OWN[target - 1 - back])}” {back + 1} back: ")
            assert float(told.split(" back: ")[1].split()[0].rstrip(",;")) == pytest.approx(10**decades, rel=0.06)
    styles = first.evaluate_all("all => all.map((span) => [span.className, span.style.background])")
    decades = expected(CHECKPOINTS / "rnn", OWN, len(OWN) - 1)
    for back, value in enumerate(decades):
        name, colour = styles[len(OWN) - 2 - back]
        assert ("cr-strong" in name) == (value >= 0) or abs(value) < 0.02
        assert bool(colour) == (value > -4) or abs(value + 4) < 0.1
    assert styles[-1][0].split() == ["cr-here"]

    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
