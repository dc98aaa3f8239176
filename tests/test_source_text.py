"""The origin of a text: typed, a corpus, or the networks that wrote it."""

import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from charrnn.sampling import SamplingSettings
from charrnn.surprisal import GroupMean
from charrnn.ui.compare.surprisal_difference import describe_difference
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.default_text import default_text
from charrnn.ui.server.loaded_model import LoadedModel
from charrnn.ui.server.source_text import SourceText, Writer, given_text
from charrnn.ui.server.view_query import ViewQuery
from charrnn.vocab import Vocab
from tests.cli import ROOT
from tests.small_models import SMALL, save_small
from tests.trained_checkpoints import TEXT

COLD, WARM = SamplingSettings(0.5, 40, 0.9, 0.01), SamplingSettings()
WRITER = Writer("GRU", "a" * 64, 40, COLD)
PART = {"characters": 3, "writer": asdict(WRITER), "chosen": 0}


def query(text: str, origin: Any = None) -> ViewQuery:
    return ViewQuery(form={"text": text} if origin is None else {"text": text, "origin": origin})


def test_source_text_names_writers_and_choices():
    assert given_text(query(" \n"), 9) is None and given_text(query("abc"), 9) == SourceText("abc")
    other = asdict(Writer("RNN", "b" * 64, 7, WARM))
    parts = [{"characters": 2, "writer": None}, PART, {**PART, "writer": other}, {**PART, "characters": 1, "chosen": 1}]
    source = given_text(query("abcdefghi", parts), 9)
    assert source is not None and len(source.writers) == 2
    assert str(source) == (
        "the text of Write (2 given; 4 written by GRU, step 40, temperature 0.5, top-k 40, top-p 0.9, min-p 0.01; "
        "3 written by RNN, step 7, temperature 1; 1 of them chosen by hand)"
    )
    assert str(source.first(4)) == f"{source.origin} (its first 4 characters)"
    assert given_text(query("ab", parts[:1]), 9) == SourceText("ab"), "no origin without a model"


@pytest.mark.parametrize(
    "origin",
    ["a", 1, [1], [{}], [{"characters": -1}], [{**PART, "chosen": 4}], [{**PART, "writer": 1}]]
    + [[{**PART, "writer": {**asdict(WRITER), name: None}}] for name in asdict(WRITER)],
)
def test_invalid_origin_is_refused(origin: Any):
    with pytest.raises(ValueError, match="^(origin|characters|chosen|writer|title|sha256|step|temperature|settings)"):
        given_text(query("abc", origin), 9)


def test_default_text_without_corpus_is_the_scene(store: Store, tmp_path: Path, no_corpus: None):
    scene = (ROOT / "charrnn/ui/server/default_text.txt").read_text(encoding="utf-8")
    for name in ("rnn", "minigpt"):
        assert default_text(store.load(name), None) == SourceText(scene, "a scene written for this project")
    save_small(tmp_path / "few", SMALL["rnn"], Vocab.from_text(scene.replace("w", "").replace("\n", "")))
    few = default_text(Store(tmp_path).load("few"), None)
    assert few.text == scene.replace("w", "").replace("\n", "") and not few.writers


def test_default_text_with_corpus_is_its_validation_part(trained: Path, monkeypatch: pytest.MonkeyPatch):
    corpus = TEXT * 60
    digest = hashlib.sha256(corpus.encode()).hexdigest()
    loaded = Store(trained).load("rnn")
    source = default_text(loaded, corpus)
    cut = int(0.9 * len(corpus))
    assert source.text == corpus[cut : cut + 16_384] and not source.writers
    beginning = "(its first 16,384 characters)"
    assert str(source) == f"the last tenth of the text with sha256 {digest[:12]} {beginning}"
    monkeypatch.setattr("charrnn.corpus.TINY_SHAKESPEARE_SHA256", digest)
    assert str(default_text(loaded, corpus)) == f"the last tenth of Tiny Shakespeare {beginning}"
    trained_on_it = LoadedModel(replace(loaded.checkpoint, info=replace(loaded.info, data_sha256=digest)))
    assert str(default_text(trained_on_it, corpus)) == f"the validation part of Tiny Shakespeare {beginning}"


def test_default_text_of_other_alphabet_is_its_own(tmp_path: Path, no_corpus: None):
    greek = Vocab(" ,:abcdefgαβγ")
    save_small(tmp_path / "stored", SMALL["rnn"], greek, passage="αβγ " * 40)
    save_small(tmp_path / "new", SMALL["rnn"], greek)
    store = Store(tmp_path)
    stored, new = (default_text(store.load(name), None) for name in ("stored", "new"))
    assert stored.text == "αβγ " * 40 and stored.origin == "a passage written by stored, step 40"
    assert len(new.text) == 800 and new.origin == "a passage written by new, step 40, temperature 1"
    assert new.is_by(store.load("new"))


def test_own_text_is_no_evidence_for_network(store: Store):
    pair = rnn, gru = store.load("rnn"), store.load("gru")
    whole = GroupMean("all characters", 9, 1.0, 2.0, -1.0, 0.1)
    by_a = SourceText("x", "o", (Writer(rnn.title, rnn.info.sha256, rnn.checkpoint.step, WARM),))
    description = describe_difference(whole, by_a, pair)
    assert "A wrote this text" in description and "its own samples better than others do" in description
    assert "wrote this" not in describe_difference(whole, SourceText("x"), pair)
    by_other_step = SourceText("x", "o", (Writer("GRU", gru.info.sha256, 7, WARM),))
    assert "wrote this" not in describe_difference(whole, by_other_step, pair)
