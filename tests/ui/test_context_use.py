"""The context use of the tab Gradients: stored results, measured custom texts."""

import json
import shutil
from collections.abc import Callable
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
from charrnn.ui.gradients import context_use as context_use_view
from charrnn.ui.gradients.context_use import MAX_CHARS, PREDICTIONS, REPLACED, context_use_curves
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery
from tests.trained_checkpoints import TEXT
from tests.ui.compare_helpers import always, decoded
from tests.ui.conftest import open_page
from tests.ui.page_actions import use_text
from tests.ui.test_serving import serving

pytestmark = pytest.mark.usefixtures("no_corpus")

CUSTOM_TEXT = "What light is this, that breaks? It is the east, and Juliet is the sun. " * 6


def answers(store: Store, query: ViewQuery, is_current: Callable[[], bool] = always) -> list[dict[str, Any]]:
    return decoded(context_use_curves(store, query, is_current))


def expected(trained: Path, text: str, step: int | None = None) -> MemoryUsed:
    """The context use of a recurrent network, as the part measures it."""
    loaded, rng = load(trained, step), torch.Generator().manual_seed(0)
    ids = loaded.vocab.encode(text)
    use = context_use(loaded.model, ids, rng, MAX_CHARS, PREDICTIONS)
    return MemoryUsed(use, corruption(loaded.model, ids, rng, positions=REPLACED))


def lines_of(answer: dict[str, Any], name: str) -> list[list[float | None]]:
    return [trace["y"] for trace in answer["figure"]["data"] if trace.get("name") == name]


def test_custom_text_fills_figure_and_table_once(trained: Path):
    store = Store(trained)
    query = ViewQuery(names=("rnn", "gru"), form={"text": CUSTOM_TEXT})
    first, second, last = answers(store, query)
    assert first["words"].startswith("Measuring Vanilla RNN …") and "Measuring GRU …" in second["words"]
    assert second["busy"] and not last["busy"]
    for name, title in (("rnn", "Vanilla RNN"), ("gru", "GRU")):
        used = expected(trained / name, CUSTOM_TEXT)
        above, below = lines_of(last, title)
        for value, shown in zip(used.context.excess_nats, above, strict=True):
            assert shown == (pytest.approx(value, abs=1e-6) if value >= 1e-3 else None)
        assert below[0] == pytest.approx(used.corruption.median[0])
        (row,) = [row for row in last["table"]["rows"] if row["cells"][0]["text"] == title]
        assert [cell["text"] for cell in row["cells"][1:4]] == [
            str(n) if n <= MAX_CHARS else f"> {MAX_CHARS}"
            for n in (used.context.ecl_chars, used.context.ecl_share_chars, used.context.shuffled_ecl_chars)
        ]
        assert row["cells"][5]["text"] == f"{used.context.loss_nats[0]:.3f}"
    assert "changed letters in the text you typed or pasted" in last["words"]
    (cached,) = answers(store, query)
    assert cached["figure"] == last["figure"]


def test_stored_context_use_is_shown_for_the_last_step(trained: Path, tmp_path: Path, monkeypatch):
    shutil.copytree(trained / "rnn", tmp_path / "rnn")
    info = describe(tmp_path / "rnn")
    used = expected(tmp_path / "rnn", TEXT[-2000:])
    write_analyses(tmp_path / "rnn", info.sha256, {"memory": memory_record(used)})
    monkeypatch.setattr(context_use_view, "measure", lambda loaded, text: pytest.fail("measured although it is stored"))
    (answer,) = answers(Store(tmp_path), ViewQuery())
    stored = memory_from_record(AnalysisRecord.from_json(json.loads(memory_record(used).as_json())))
    above, below = lines_of(answer, "Vanilla RNN")
    median = stored.corruption.median
    np.testing.assert_allclose([y or 0 for y in below], np.where(median < 1e-6, 0, median))
    measured_on = f" changed letters in the validation part of {title_of(info.data_sha256)}, "
    assert above[0] == stored.context.excess_nats[0] and measured_on in answer["words"]
    monkeypatch.undo()
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "none"))
    early = answers(Store(tmp_path), ViewQuery(choice=Choice("rnn", 0)))
    assert (
        len(early) == 2
        and "a scene written for this project" in early[-1]["words"]
        and lines_of(early[-1], "Vanilla RNN, step 0")
    )


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
    _, last = answers(Store(tmp_path), ViewQuery())
    assert lines_of(last, "Vanilla RNN")


def test_short_text_is_refused_and_query_superseded(trained: Path):
    store = Store(trained)
    last = answers(store, ViewQuery(names=("rnn",), form={"text": "night"}))[-1]
    assert "Vanilla RNN: the text has 5 characters: give 320 or more." in last["words"] and last["figure"] is None
    is_current = iter([True, True, False])
    query = ViewQuery(names=("rnn", "gru", "lstm"), form={"text": CUSTOM_TEXT * 2})
    assert len(answers(store, query, lambda: next(is_current, False))) == 1
    (answer,) = answers(store, ViewQuery(names=()))
    assert answer["words"].startswith("Choose at least")


# ------------------------------------------------------------------ in a browser


def wait_for_words(page: Page, words: str) -> None:
    expect(page.locator("#cr-memory .cr-plot-words")).to_contain_text(words)
    page.wait_for_function("!document.querySelector('#cr-memory .cr-busy')")


def test_context_use_follows_selection_and_custom_text(context: BrowserContext, trained: Path, tmp_path: Path):
    stored = {name: expected(trained / name, TEXT[-2000:]) for name in ("rnn", "gru")}
    for name, use in stored.items():
        shutil.copytree(trained / name, tmp_path / name)
        write_analyses(tmp_path / name, describe(tmp_path / name).sha256, {"memory": memory_record(use)})
    with serving(tmp_path) as (_, address):
        page = open_page(context, address)
        page.get_by_role("tab", name="Gradients").click()
        part = page.locator("#cr-memory")
        part.get_by_text("How much context is really used").click()
        for name, title in (("rnn", "Vanilla RNN"), ("gru", "GRU")):
            wait_for_words(page, f"{title} uses {stored[name].context.ecl_chars} characters")
        page.wait_for_function("document.querySelector('#cr-memory .cr-plot').data?.length > 4")
        lines = (
            "document.querySelector('#cr-memory .cr-plot').data.filter((t) => t.name === 'GRU').map((t) => [...t.y])"
        )
        above, below = page.evaluate(lines)
        assert above[0] == pytest.approx(stored["gru"].context.excess_nats[0], rel=1e-4)
        assert below[0] == pytest.approx(stored["gru"].corruption.median[0], rel=1e-4)
        part.get_by_text("Numbers", exact=True).click()
        row = part.locator("tbody tr").filter(has_text="GRU").locator("td")
        expect(row.nth(0)).to_have_text(str(stored["gru"].context.ecl_chars))

        page.locator("#cr-flow .cr-chips").get_by_role("checkbox", name="GRU", exact=True).click()
        part.scroll_into_view_if_needed()
        expect(part.locator(".cr-plot-words")).not_to_contain_text("GRU")
        use_text(page, CUSTOM_TEXT)
        part.scroll_into_view_if_needed()
        wait_for_words(page, "changed letters in the text you typed or pasted")
        length = expected(trained / "rnn", CUSTOM_TEXT).context.ecl_chars
        expect(part.locator(".cr-plot-words")).to_contain_text(f"Vanilla RNN uses {length} characters")
