"""Which text the gradients are measured on, and that it is measured once."""

import json
from pathlib import Path

import pytest

from charrnn.gradient_flow import GradientFlow
from charrnn.ui import gradients_tab
from charrnn.ui.gradients_tab import default_text, measured, picture
from charrnn.ui.store import Store
from tests.ui.conftest import CHECKPOINTS

CORPUS = "First Citizen:\nBefore we proceed any further, hear me speak.\n\n" * 2000


@pytest.fixture
def store() -> Store:
    return Store(CHECKPOINTS)


def test_without_a_corpus_the_model_s_own_passage_is_read(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path))
    reader = store.reader("rnn")
    assert default_text(reader) == (reader.passage, "a passage this model wrote itself")


def test_with_a_corpus_its_validation_part_is_read(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gradients_tab, "cached_tiny_shakespeare", lambda: CORPUS)
    text, what = default_text(store.reader("rnn"))
    cut = int(0.9 * len(CORPUS))
    assert text == CORPUS[cut : cut + 10_000]
    assert what == "the validation part of Tiny Shakespeare (its first 10,000 characters)"


def test_a_text_is_measured_once_for_each_model_and_step(store: Store):
    reader, own = store.reader("rnn"), "To be, or not to be. " * 20
    flow, what = measured(store, reader, own)
    assert what == "your own text" and isinstance(flow, GradientFlow)
    assert measured(store, reader, own)[0] is flow
    assert measured(store, store.reader("rnn", 0), own)[0] is not flow


def test_a_text_that_is_too_short_says_how_long_it_must_be(store: Store):
    with pytest.raises(ValueError, match="at least 130"):
        measured(store, store.reader("rnn"), "short")


def test_what_is_left_out_of_ones_own_text_is_said(store: Store):
    reader, own = store.reader("rnn"), "→To be, or not to be. " * 20
    shown = json.loads(picture(store, reader, own, 1))
    assert shown["light"] and "Left out 20 characters" in shown["words"] and "'→' at position 0" in shown["words"]
    refused = json.loads(picture(store, reader, "→" * 200, 2))
    assert "at least 130" in refused["words"] and "Left out 200 characters" in refused["words"]


def test_without_a_checkpoint_the_tab_says_why(tmp_path: Path):
    assert "train one with scripts/train.py" in json.loads(picture(Store(tmp_path), None, "", 1))["words"]


def test_a_result_seen_before_is_told_again(store: Store):
    """Else the page, which says that it is being measured, would wait for ever."""
    reader = store.reader("rnn")
    assert picture(store, reader, "", 1) != picture(store, reader, "", 2)
