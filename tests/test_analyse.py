"""`scripts/analyse.py` computes missing analyses and reports skipped ones."""

import math

import numpy as np
import pytest
import torch

from charrnn import checkpoint
from charrnn.analysis_record import AnalysisRecord
from charrnn.checkpoint import ANALYSES, write_analyses
from charrnn.commands import analyse
from charrnn.context_use import LAGS, MAX_CHARS, context_use, memory_from_record
from charrnn.corpus import Corpus
from charrnn.neurons import (
    Baseline,
    ConceptTargets,
    all_activations,
    best_units,
    leaderboards_from_record,
    score,
    unit_names,
)
from charrnn.training import evaluate_stream, untrained
from tests.cli import run_main
from tests.small_models import SMALL, save_small
from tests.test_evaluate import TEXT, write_checkpoint


@pytest.fixture
def run_analyse(capsys, tmp_path):
    """Call the script on the text in this process."""
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return lambda *arguments: run_main(capsys, analyse.main, "--data", path, *arguments)


def sections(folder):
    return checkpoint.describe(folder).analyses.sections


def test_bits_section_matches_validation_loss(tmp_path, run_analyse):
    folder = write_checkpoint(tmp_path / "one")
    code, out, err = run_analyse(folder, "--sections", "bits")
    assert (code, err) == (0, "") and "one: bits in" in out
    record = sections(folder)["bits"]
    corpus = Corpus.from_text(TEXT)
    assert record.text("data_sha256") == corpus.sha256 and record.number("characters") == len(corpus.val_ids)
    counts, bits = record.numbers("kinds", "characters"), record.numbers("kinds", "bits")
    mean = sum(n * bit for n, bit in zip(counts, bits, strict=True)) / sum(counts)
    stream = evaluate_stream(checkpoint.load(folder).model, corpus.val_ids) / math.log(2)
    assert sum(counts) == len(corpus.val_ids) and mean == pytest.approx(stream, abs=0.01)  # one stream, not several


def test_memory_section_matches_context_use(tmp_path, run_analyse):
    folder = write_checkpoint(tmp_path / "one")
    run_analyse(folder, "--sections", "memory")
    stored = memory_from_record(sections(folder)["memory"])
    model, ids = checkpoint.load(folder).model, Corpus.from_text(TEXT).val_ids.tolist()
    again = context_use(model, ids, torch.Generator().manual_seed(0))
    assert len(stored.context.n) == MAX_CHARS and len(stored.corruption.k) == LAGS
    np.testing.assert_allclose(stored.context.loss_nats, again.loss_nats, rtol=1e-5)
    np.testing.assert_allclose(stored.context.shuffled_excess_nats, again.shuffled_excess_nats, rtol=1e-5, atol=1e-9)


def test_units_section_matches_single_pass(tmp_path, run_analyse, monkeypatch):
    monkeypatch.setattr(analyse, "UNTRAINED_UNITS", 20)
    monkeypatch.setattr(analyse, "CHANCE_NETWORKS", 3)
    folder = write_checkpoint(tmp_path / "one")
    run_analyse(folder, "--sections", "units")
    stored = leaderboards_from_record(sections(folder)["units"])
    trained, corpus = checkpoint.load(folder), Corpus.from_text(TEXT)
    text = trained.vocab.decode(corpus.val_ids[:10_000].tolist())
    targets, ids = ConceptTargets.of(text), trained.vocab.encode(text)
    networks = -(-20 // trained.info.hidden_dim)
    scores = score(targets, all_activations(trained.model.decoder(), ids, "h"))
    config, recipe, size = trained.info.config, trained.info.recipe, len(trained.vocab)
    initial = [untrained(config, size, recipe, seed) for seed in range(networks + 3)]
    of_initial = [score(targets, all_activations(model.decoder(), ids, "h")) for model in initial]
    baseline = Baseline.of(of_initial[:networks], of_initial[networks:])
    board = stored.boards["h"]
    assert board.chance == pytest.approx(baseline.chance, rel=1e-5)
    assert stored.characters == len(text) and board.untrained_units == networks * trained.info.hidden_dim
    for best, expected in zip(board.best, best_units(targets, scores, baseline), strict=True):
        assert best[:3] == expected[:3] and best[3:7] == pytest.approx(expected[3:7], rel=1e-5, abs=1e-6)
    assert board.named == sum(name is not None for name in unit_names(targets, scores, baseline))


def test_analyse_computes_only_missing_sections(tmp_path, run_analyse):
    folder = write_checkpoint(tmp_path / "one")
    info = checkpoint.describe(folder)
    stored = {"bits": AnalysisRecord({"old": 1}), "units": AnalysisRecord({"n": 1})}
    write_analyses(folder, info.sha256, stored)
    code, out, _ = run_analyse(folder, "--sections", "bits")
    assert (code, out) == (0, "one: bits is stored\n") and sections(folder) == stored
    run_analyse(folder, "--sections", "bits", "--anew")
    assert "old" not in sections(folder)["bits"].facts and sections(folder)["units"] == stored["units"]


def test_analyse_skips_other_texts_and_reports_bad_folders(tmp_path, run_analyse, capsys):
    folder = write_checkpoint(tmp_path / "one")
    (tmp_path / "other.txt").write_text(TEXT[::-1])
    code, out, _ = run_analyse(folder, "--data", tmp_path / "other.txt")
    assert (code, out) == (0, "one: skipped, it was trained on another text\n") and not (folder / ANALYSES).exists()
    (tmp_path / "other.txt").write_text("§" + TEXT)  # with an unknown character
    assert run_analyse(folder, "--data", tmp_path / "other.txt")[:2] == (code, out)
    code, _, err = run_analyse(tmp_path / "nothing", folder, "--sections", "bits")
    assert code == 2 and "nothing" in err and "bits" in sections(folder)


def test_analyse_continues_after_failing_section(tmp_path, run_analyse, monkeypatch):
    def fail(trained, corpus):
        raise ValueError("the text has 7 characters: give 130 or more")

    monkeypatch.setitem(analyse.ANALYSES, "gradient", fail)
    folder = write_checkpoint(tmp_path / "one")
    code, out, err = run_analyse(folder, "--sections", "gradient", "bits")
    assert (code, [*sections(folder)]) == (2, ["bits"]) and "one: bits in" in out
    assert err == "one: gradient could not be computed: the text has 7 characters: give 130 or more\n"


def test_analyse_of_tiny_text_reports_each_section(tmp_path, run_analyse):
    text = "abcd\n" * 9
    (tmp_path / "tiny.txt").write_text(text)
    corpus = Corpus.from_text(text)
    save_small(tmp_path / "tiny", SMALL["rnn"], corpus.vocab, data_sha256=corpus.sha256)
    code, out, err = run_analyse(tmp_path / "tiny", "--data", tmp_path / "tiny.txt")
    assert code == 2 and "bits in" in out
    named = {line.split()[1] for line in err.splitlines()}
    assert named | {*sections(tmp_path / "tiny")} == {*analyse.ANALYSES}
    assert all(": the text has 5 characters: " in line for line in err.splitlines())
