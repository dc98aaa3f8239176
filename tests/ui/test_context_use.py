"""Gradients, the memory that is used: what is kept is shown at once, the visitor's text is measured."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import BrowserContext, Page, expect

from charrnn.analysis_record import AnalysisRecord
from charrnn.checkpoint import describe, load, write_analyses
from charrnn.context_use import MemoryUsed, context_use, corruption, memory_from_record, memory_record
from charrnn.corpus import title_of
from charrnn.ui.gradients import context_use as memory_part
from charrnn.ui.gradients.context_use import MAX_CHARS, PREDICTIONS, REPLACED, context_use_curves
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery, until_superseded
from tests.trained_checkpoints import TEXT
from tests.ui.conftest import CHECKPOINTS, open_page

pytestmark = pytest.mark.usefixtures("no_corpus")

OWN = "What light is this, that breaks? It is the east, and Juliet is the sun. " * 6


def answers(store: Store, question: ViewQuery, wanted: Any = lambda: True) -> list[dict[str, Any]]:
    return [json.loads(told) for told in until_superseded(context_use_curves(store, question, wanted))]


def expected(trained: Path, text: str, step: int | None = None) -> MemoryUsed:
    """What the part measures live, of a recurrent network."""
    loaded, rng = load(trained, step), torch.Generator().manual_seed(0)
    ids = loaded.vocab.encode(text)
    use = context_use(loaded.model, ids, rng, MAX_CHARS, PREDICTIONS)
    return MemoryUsed(use, corruption(loaded.model, ids, rng, positions=REPLACED))


def drawn(told: dict[str, Any], name: str) -> list[list[float | None]]:
    return [trace["y"] for trace in told["figure"]["data"] if trace.get("name") == name]


def test_custom_text_fills_figure_and_table_once(trained: Path):
    store = Store(trained)
    question = ViewQuery(names=("rnn", "gru"), form={"text": OWN})
    told = answers(store, question)
    assert [one["words"].partition(" …")[0] for one in told[:2]] == ["Measuring Vanilla RNN"] * 1 + [
        told[1]["words"].partition(" …")[0]
    ]
    assert "Measuring GRU …" in told[1]["words"] and told[1]["busy"] and not told[2]["busy"] and len(told) == 3
    for name, title in (("rnn", "Vanilla RNN"), ("gru", "GRU")):
        used = expected(trained / name, OWN)
        above, below = drawn(told[-1], title)
        for value, shown in zip(used.context.excess_nats, above, strict=True):
            assert shown == (pytest.approx(value, abs=1e-6) if value >= 1e-3 else None)
        assert below[0] == pytest.approx(used.corruption.median[0])
        (row,) = [row for row in told[-1]["table"]["rows"] if row["cells"][0]["text"] == title]
        assert [cell["text"] for cell in row["cells"][1:4]] == [
            str(n) if n <= MAX_CHARS else f"> {MAX_CHARS}"
            for n in (used.context.ecl_chars, used.context.ecl_share_chars, used.context.shuffled_ecl_chars)
        ]
        assert row["cells"][5]["text"] == f"{used.context.loss_nats[0]:.3f}"
    assert "Measured on the text you typed or pasted" in told[-1]["words"]
    (again,) = answers(store, question)
    assert again["figure"] == told[-1]["figure"]


def test_stored_context_use_is_shown_for_the_last_step(trained: Path, tmp_path: Path, monkeypatch):
    shutil.copytree(trained / "rnn", tmp_path / "rnn")
    info = describe(tmp_path / "rnn")
    used = expected(tmp_path / "rnn", TEXT[-2000:])
    write_analyses(tmp_path / "rnn", info.sha256, {"memory": memory_record(used)})
    monkeypatch.setattr(memory_part, "measure", lambda loaded, text: pytest.fail("it is kept"))
    (told,) = answers(Store(tmp_path), ViewQuery())
    kept = memory_from_record(AnalysisRecord.from_json(json.loads(memory_record(used).as_json())))
    above, below = drawn(told, "Vanilla RNN")
    np.testing.assert_allclose(
        [y or 0 for y in below], np.where(kept.corruption.median < 1e-6, 0, kept.corruption.median)
    )
    measured_on = f"Measured on the validation part of {title_of(info.data_sha256)}, "
    assert above[0] == kept.context.excess_nats[0] and measured_on in told["words"]
    monkeypatch.undo()
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "none"))
    early = answers(Store(tmp_path), ViewQuery(choice=Choice("rnn", 0)))
    assert len(early) == 2 and "a passage" in early[-1]["words"] and drawn(early[-1], "Vanilla RNN, step 0")


@pytest.mark.parametrize(
    "found",
    [
        AnalysisRecord({"predictions": 3}),
        AnalysisRecord({}, {"context": {"loss_nats": [-1]}, "corruption": {"median": [1]}}),
    ],
)
def test_invalid_stored_context_use_is_measured_again(trained: Path, tmp_path: Path, found: AnalysisRecord):
    shutil.copytree(trained / "rnn", tmp_path / "rnn")
    write_analyses(tmp_path / "rnn", describe(tmp_path / "rnn").sha256, {"memory": found})
    told = answers(Store(tmp_path), ViewQuery())
    assert len(told) == 2 and drawn(told[-1], "Vanilla RNN")


def test_short_text_is_refused_and_query_superseded(trained: Path):
    store = Store(trained)
    told = answers(store, ViewQuery(names=("rnn",), form={"text": "night"}))[-1]
    assert "Vanilla RNN: the text has 5 characters: give 320 or more." in told["words"] and told["figure"] is None
    wanted = iter([True, True, False])
    told = answers(store, ViewQuery(names=("rnn", "gru", "lstm"), form={"text": OWN * 2}), lambda: next(wanted, False))
    assert len(told) == 1
    (told,) = answers(store, ViewQuery(names=()))
    assert told["words"].startswith("Tick a model")


# ------------------------------------------------------------------ in a browser


def settled(page: Page, words: str) -> None:
    expect(page.locator("#cr-memory .cr-plot-words")).to_contain_text(words)
    page.wait_for_function("!document.querySelector('#cr-memory .cr-busy')")


def test_context_use_follows_selection_and_custom_text(context: BrowserContext, app: str):
    page = open_page(context, app)
    page.get_by_role("tab", name="Gradients").click()
    part = page.locator("#cr-memory")
    part.scroll_into_view_if_needed()
    settled(page, "Effective context")
    found = {
        name: memory_part.saved_context_use(describe(CHECKPOINTS / name)) for name in ("rnn", "gru", "lstm", "minigpt")
    }
    kept = {name: both[0] for name, both in found.items() if both}
    titles = ("Vanilla RNN", "GRU", "LSTM", "MiniGPT")
    lengths = [f"{title} {used.context.ecl_chars}" for title, used in zip(titles, kept.values(), strict=True)]
    assert f"Effective context, in characters: {'; '.join(lengths)}." in part.locator(".cr-plot-words").inner_text()
    page.wait_for_function("document.querySelector('#cr-memory .cr-plot').data?.length > 8")
    lines = "document.querySelector('#cr-memory .cr-plot').data.filter((t) => t.name === 'GRU').map((t) => [...t.y])"
    above, below = page.evaluate(lines)
    assert above[9] == pytest.approx(kept["gru"].context.excess_nats[9])
    assert below[9] == pytest.approx(kept["gru"].corruption.median[9])
    part.get_by_text("The same in numbers").click()
    row = part.locator("tbody tr").filter(has_text="GRU").locator("td")
    expect(row.nth(0)).to_have_text(str(kept["gru"].context.ecl_chars))
    part.get_by_text("How to read this").click()
    expect(part.locator("li")).to_have_count(3)

    for title in ("GRU", "LSTM", "MiniGPT"):
        page.locator("#cr-flow .cr-chips").get_by_role("checkbox", name=title, exact=True).click()
    part.scroll_into_view_if_needed()
    expect(part.locator(".cr-plot-words")).not_to_contain_text("GRU")
    page.locator("#cr-own-text").fill(OWN)
    page.get_by_role("button", name="Measure on this text").click()
    part.scroll_into_view_if_needed()
    settled(page, "Measured on the text you typed or pasted")
    used = expected(CHECKPOINTS / "rnn", OWN)
    expect(part.locator(".cr-plot-words")).to_contain_text(f"in characters: Vanilla RNN {used.context.ecl_chars}.")
