"""Lecture answers about changed networks, recomputed."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from charrnn.checkpoint import load
from charrnn.clamps import Clamp
from charrnn.gradient_flow import gradient_flow, scale_recurrent
from charrnn.paths import CHECKPOINTS
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.surprisal import surprisals
from charrnn.ui.lecture import intervention_answers
from charrnn.ui.server.analyses import text_for
from charrnn.ui.server.checkpoint_store import Store
from tests.cli import ROOT
from tests.test_scenes import BY_ID, check_sentence, figures

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
    check_sentence(answer)
    trained, text = load(CHECKPOINTS / "rnn"), held_out(store, "rnn")
    ids = trained.vocab.encode(text)
    h = trained.model.decoder().read(ids).activations["h"].astype(float)
    passed = [1 - float((row**2).mean()) for row in h]
    assert figures(answer.number) == [round(100 * float(np.mean(passed)))]
    W = trained.model.state_dict()["cell.W_hh.weight"].double()
    outside = (torch.linalg.eigvals(W).abs() > 1).sum().item()
    assert f"{outside} of 256 eigenvalues lie outside the circle" in answer.details
    for g in (1.0, 1.4):
        whole = trained.vocab.encode(text_for(store, store.load("rnn")).text)
        halving = gradient_flow(scale_recurrent(trained.model, g), whole, 128, 512).describe_halving()
        assert f"t × {g:g} " in answer.details and halving in answer.details
    assert [way["knob"] for way in answer.ways] == [1, 1.4, 0.7]
    scaled, own = (mean_bits(scale_recurrent(trained.model, g).decoder(), ids) for g in (1.4, 1.0))
    assert answer.ways[1]["says"].endswith(f"a character costs {scaled:.2f} bits instead of {own:.2f}.")


def test_scene_gating_matches_measurements(store: Store):
    answer = BY_ID["gating"].measured_answer(store)
    check_sentence(answer)
    text = held_out(store, "gru")
    gru, rnn = load(CHECKPOINTS / "gru"), load(CHECKPOINTS / "rnn")
    clamps = [Clamp("z", None, 0.0), Clamp("r", None, 1.0)]
    ids, guessing = gru.vocab.encode(text), math.log2(len(gru.vocab))
    gated = mean_bits(gru.model.decoder(), ids)
    ungated = mean_bits(gru.model.decoder().clamped(clamps), ids)
    assert f"needs {ungated:.2f} bits per character without gates instead of {gated:.2f}" in answer.sentence
    assert f"guessing costs {guessing:.2f}" in answer.sentence
    assert f"GRU needs {gated:.2f} bits" in answer.details
    assert f"needs {mean_bits(rnn.model.decoder(), rnn.vocab.encode(text)):.2f}." in answer.details
    share = 100 * (guessing - ungated) / (guessing - gated)
    low, high = figures(answer.details.partition("saves: ")[2])[1:3]
    assert low < share < high
    assert figures(answer.number) == pytest.approx([share], abs=0.051) and answer.sentence.startswith(answer.number)
    assert [text for _, text, _ in answer.texts] == [
        sampled(gru.model.decoder(), gru.vocab, 160, *some) for some in ([], clamps)
    ]


def test_scene_clamp_matches_measurements(store: Store):
    answer = BY_ID["clamp"].measured_answer(store)
    check_sentence(answer)
    trained, text = load(CHECKPOINTS / "lstm"), held_out(store, "lstm")
    decoder, ids = trained.model.decoder(), trained.vocab.encode(text)
    units = trained.info.analyses.sections["units"]
    best = units.tables["best"]
    row = list(zip(best["view"], best["concept"], strict=True)).index(("c", "position in line"))
    unit, direction = (int(units.numbers("best", name)[row]) for name in ("unit", "direction"))
    c = decoder.read(ids).activations["c"].astype(float)[:, unit]
    (((name, shown, end),), ((_, _, start),)) = [way["clamp"] for way in answer.ways]
    assert (name, shown) == ("c", unit) and f"Unit {unit} of c" in answer.details
    ends = [round(float(x), 2) for x in np.quantile(c, [0.05, 0.95])]
    assert [start, end] == ends[::direction]
    free, lengths, counts = mean_bits(decoder, ids), [], []
    for value, words in zip(
        (start, None, end), re.split(r"(?:start|end) value, |As it is", answer.details)[1:], strict=True
    ):
        clamps = [] if value is None else [Clamp("c", unit, value)]
        sample = sampled(decoder, trained.vocab, 2000, *clamps)
        lines = [line for line in sample.split("\n") if line and line[-1] != ":"]
        lengths.append(sum(map(len, lines)) / len(lines))
        counts.append(len(lines))
        assert f": {len(lines)} lines of {lengths[-1]:.0f}" in words
        if value is not None:
            cost = mean_bits(decoder.clamped(clamps), ids) - free
            assert figures(words.partition(" on average")[2])[0] == pytest.approx(cost, abs=0.0011)
    assert figures(answer.sentence) == [counts[0], 2000, counts[1], counts[2]]
    assert lengths[0] > 2 * lengths[1] > 4 * lengths[2]
    assert [len(sample) for _, sample, _ in answer.texts] == [247] * 3
    assert answer.texts[1][1] == sampled(decoder, trained.vocab, 240)
    for _, sample, divergence in answer.texts:
        assert sample[:divergence] == answer.texts[1][1][:divergence]


def test_scene_clipping_matches_study(store: Store, tmp_path):
    answer = BY_ID["clipping"].measured_answer(store)
    check_sentence(answer)
    study = json.loads((ROOT / "docs" / "study.json").read_text())
    rows = study["clipping"]["rows"]
    fastest = [row for row in rows if row["learning_rate"] == 0.01]
    norms = [row["largest_grad_norm"] for row in fastest]
    assert figures(answer.sentence) == [0.01, round(max(norms), 1), 5]
    assert ("Neither" in answer.sentence) == all(row["diverged_at"] is None for row in fastest)
    assert all(f"{norm:.2f}" in answer.details for norm in norms)
    assert f"{min(row['val_stream_nats'] for row in fastest):.4f} to" in answer.details
    runs = {"tanh, learning rate 0.01, clipped", "tanh, learning rate 0.01, not clipped"}
    assert {*answer.shown["lines"]} == runs
    assert {line.partition(",")[0] for line in answer.ways[0]["lines"]} == {"tanh", "relu"}
    other = replace(BY_ID["clipping"], reads=(tmp_path / "study.json",))
    assert "No study of clipping found" in other.measured_answer(store).sentence
    diverged = [row | {"diverged_at": 7} if not row["max_grad_norm"] else row for row in rows]
    other.reads[0].write_text(json.dumps(study | {"clipping": {"rows": diverged}}))
    assert other.measured_answer(store).sentence.startswith("The unclipped one")


def test_line_lengths_leave_out_speakers():
    assert intervention_answers.line_lengths("ROMEO:\nabcd\n\nab\n") == [4, 2]
    assert intervention_answers.line_lengths("abc:\n") == [5]
