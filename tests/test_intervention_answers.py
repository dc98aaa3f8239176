"""Lecture answers about changed networks, recomputed."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from charrnn.checkpoint import load
from charrnn.clamps import Clamp
from charrnn.gradient_flow import gradient_flow, scale_recurrent
from charrnn.paths import CHECKPOINTS
from charrnn.probes import ablate_context
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.surprisal import surprisals
from charrnn.ui.lecture import intervention_answers
from charrnn.ui.server.analyses import text_for
from charrnn.ui.server.checkpoint_store import Store
from tests.cli import ROOT
from tests.test_scenes import BY_ID, figures

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_corpus")]


def held_out(store: Store, name: str) -> str:
    return text_for(store, store.load(name)).text[:2000]


def mean_bits(decoder, ids: list[int]) -> float:
    return float(np.concatenate([*surprisals(decoder, ids)]).mean())


def sampled(decoder, vocab, n: int, *clamps: Clamp) -> str:
    start = decoder.prefill(vocab.encode("ROMEO:\n"))
    steps = generate(decoder, start, n, SamplingSettings(0.8), UniformStream(7), clamps=clamps)
    return "ROMEO:\n" + vocab.decode([step.id for step in steps])


def test_scene_knob_matches_measurements(store: Store):
    answer = BY_ID["knob"].measured_answer(store)
    trained, text = load(CHECKPOINTS / "rnn"), held_out(store, "rnn")
    whole = trained.vocab.encode(text_for(store, store.load("rnn")).text)
    parts = answer.words.split(". ×")
    assert len(parts) == 3
    for words, g in zip(parts, (1.0, 0.7, 1.4), strict=True):
        shown = figures(words)
        W = g * trained.model.state_dict()["cell.W_hh.weight"].double()
        model = scale_recurrent(trained.model, g)
        assert shown[0] == g and shown[1] == pytest.approx(torch.linalg.eigvals(W).abs().max().item(), abs=0.0051)
        flow = gradient_flow(model, whole, 128, 512)
        assert shown[2] == float(f"{flow.geometric_mean[100]:.0e}") and shown[3] == 100
        assert shown[4] == pytest.approx(mean_bits(model.decoder(), trained.vocab.encode(text)), abs=0.0051)
    assert [title for title, _, _ in answer.texts] == ["W_hh × 0.7", "W_hh × 1", "W_hh × 1.4"]
    for (_, sample, divergence), g in zip(answer.texts, (0.7, 1.0, 1.4), strict=True):
        assert sample == sampled(scale_recurrent(trained.model, g).decoder(), trained.vocab, 240)
        assert sample[:divergence] == answer.texts[1][1][:divergence]
    assert answer.shown["knob"] == 1.4 and [way["knob"] for way in answer.shown["ways"]] == [0.7, 1.4]


def test_scene_gating_matches_measurements(store: Store):
    answer = BY_ID["gating"].measured_answer(store)
    text = held_out(store, "gru")
    gru, rnn = load(CHECKPOINTS / "gru"), load(CHECKPOINTS / "rnn")
    ungated = gru.model.decoder().clamped([Clamp("z", None, 0.0), Clamp("r", None, 1.0)])
    rows = [(gru.model.decoder(), gru.vocab), (ungated, gru.vocab), (rnn.model.decoder(), rnn.vocab)]
    for words, (decoder, vocab) in zip(answer.words.split("; "), rows, strict=True):
        shown = figures(words.partition(": ")[2])
        ids = vocab.encode(text)
        assert shown[0] == pytest.approx(mean_bits(decoder, ids), abs=0.0051)
        reach = ablate_context(decoder, ids).characters
        assert shown[1] == (reach or 64) and ("looks back more than" in words) == (reach is None)
    guessing = math.log2(len(gru.vocab))
    assert f"Of {guessing:.2f} bits that guessing costs" in answer.words
    assert answer.shown["clamp"] == [("z", None, 0.0), ("r", None, 1.0)]


def test_scene_clamp_matches_measurements(store: Store):
    answer = BY_ID["clamp"].measured_answer(store)
    trained, text = load(CHECKPOINTS / "lstm"), held_out(store, "lstm")
    decoder, ids = trained.model.decoder(), trained.vocab.encode(text)
    c = decoder.read(ids).activations["c"].astype(float)
    ((name, unit, high),) = answer.shown["clamp"]
    (((_, _, low),), ((_, _, second_high),)) = [way["clamp"] for way in answer.shown["ways"]]
    assert name == "c" and second_high == high and f"Unit {unit} of c" in answer.words
    assert (low, high) == tuple(round(float(x), 2) for x in np.quantile(c[:, unit], [0.05, 0.95]))
    free, parts = mean_bits(decoder, ids), answer.words.partition("⏎. ")[2].lower().split("; ")
    lengths = []
    for words, value in zip(parts, (low, None, high), strict=True):
        clamps = [] if value is None else [Clamp("c", unit, value)]
        clamped, text = decoder.clamped(clamps), sampled(decoder, trained.vocab, 2000, *clamps)
        lines = [line for line in text.split("\n") if line and line[-1] != ":"]
        lengths.append(sum(map(len, lines)) / len(lines))
        shown = figures(words.partition(": " if value is None else "held at ")[2])
        assert shown[0 if value is None else 1] == round(lengths[-1])
        if value is not None:
            assert shown[0] == pytest.approx(value, abs=0.0051)
            assert shown[2] == pytest.approx(mean_bits(clamped, ids) - free, abs=0.0011)
    assert lengths[0] > 2 * lengths[1] > 4 * lengths[2]
    assert [len(sample) for _, sample, _ in answer.texts] == [247] * 3
    assert answer.texts[1][1] == sampled(decoder, trained.vocab, 240)
    for _, sample, divergence in answer.texts:
        assert sample[:divergence] == answer.texts[1][1][:divergence]


def test_scene_clipping_matches_study(store: Store, tmp_path):
    answer = BY_ID["clipping"].measured_answer(store)
    rows = json.loads((ROOT / "docs" / "study.json").read_text())["clipping"]["rows"]
    off, on = (next(r for r in rows if r["learning_rate"] == 0.01 and r["max_grad_norm"] == m) for m in (0.0, 5.0))
    for row in (off, on):
        assert f"val {row['val_stream_nats']:.4f} nats, largest norm {row['largest_grad_norm']:.2f}" in answer.words
    assert ("to the last digit" in answer.words) == (off["val_stream_nats"] == on["val_stream_nats"])
    assert f"in {on['share_to_clip']:.0%} of the steps" in answer.words
    other = replace(BY_ID["clipping"], reads=(tmp_path / "study.json",))
    assert "no study of clipping found" in other.measured_answer(store).words
    other.reads[0].write_text(json.dumps({"clipping": {"rows": rows}}))
    assert other.measured_answer(store) == answer


def test_scene_without_counting_unit_says_so():
    text = "abcdefghij\n" * 40
    with pytest.raises(ValueError, match="no unit that counts along a line"):
        intervention_answers.line_counter(text, np.random.default_rng(0).normal(size=(len(text), 5)))
    assert intervention_answers.line_length("ROMEO:\nabcd\n\nab\n") == 3
    assert intervention_answers.line_length("abc:\n") == 5
