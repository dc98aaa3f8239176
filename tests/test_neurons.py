"""Unit scores: concepts, held-out half, untrained baseline, planted unit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from charrnn.bootstrap import resample_counts
from charrnn.checkpoint import load
from charrnn.model import CharRNN
from charrnn.neurons import (
    BANK,
    LABELS,
    Baseline,
    ConceptTargets,
    Saturation,
    Scores,
    all_activations,
    best_units,
    score,
    top_spans,
    unit_names,
)
from charrnn.neurons.association import (
    least_squares,
    r_squared,
    rank_order,
    resampled_auc,
    resampled_r_squared,
    roc_auc,
)
from charrnn.neurons.scoring import with_intervals
from charrnn.training import untrained
from charrnn.vocab import Vocab
from tests.cli import ROOT
from tests.trained_checkpoints import TEXT

CONCEPTS = {concept.name: concept for concept in BANK}
VERSE = "ROMEO:\nSoft! o'er “yon(d) Hall.\nAY\n\nA b\n"


def quoting(characters: int, seed: int) -> str:
    """Random words, a third of them in quotes."""
    rng, pieces = np.random.default_rng(seed), []
    while sum(map(len, pieces)) < characters:
        words = " ".join("".join(rng.choice(list("abcdefgh"), rng.integers(2, 7))) for _ in range(rng.integers(2, 8)))
        pieces.append(rng.choice([f"“{words}” ", f"{words} ", f"{words.capitalize()}.\n"]))
    return "".join(pieces)[:characters]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("newline", "······⏎························⏎··⏎⏎···⏎"),
        ("line start", "R······S························A··⏎A···"),
        ("after newline", "ROMEO··Soft!····················AY⏎⏎A b⏎"),
        ("line end", "·····:························.··Y⏎···b·"),
        ("empty line", "···································⏎····"),
        ("speaker name", "ROMEO:··································"),
        ("capital", "ROMEO··S··················H·····AY··A···"),
        ("word in capitals", "ROMEO···························AY······"),
        ("vowel", "·O·EO···o····o·e····o······a····A···A···"),
        ("double letter", "·····························l··········"),
        ("word start", "R······S·····o·····y···d··H·····A···A·b·"),
        ("word end", "····O·····t·····r····n·d·····l···Y··A·b·"),
        ("inside a word", "·OMEO···oft···'er···on·····all···Y······"),
        ("first word", "ROMEO··Soft··o'er···············AY··A···"),
        ("space", "············ ···· ······· ··········· ··"),
        ("punctuation", "·····:·····!··'···“···(·)·····.·········"),
        ("sentence end", "···········!··················.·········"),
        ("apostrophe", "··············'·························"),
        ("digit", "········································"),
        ("inside quotes", "··················“yon(d) Hall.⏎AY⏎·····"),
        ("inside brackets", "······················(d················"),
    ],
)
def test_concept_labels_match_examples(name: str, expected: str):
    labels = zip(VERSE, CONCEPTS[name].of(VERSE), strict=True)
    assert "".join(c if label else "·" for c, label in labels).replace("\n", "⏎") == expected


def test_concept_values_match_examples():
    def counted(name: str, text: str = "ab. c'd\n\nEf") -> list[float]:
        return CONCEPTS[name].of(text).tolist()

    assert counted("position in line") == [0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 1]
    assert counted("position in word") == [1, 2, 0, 0, 1, 2, 3, 0, 0, 1, 2]
    assert counted("position in sentence") == [0, 1, 2, 3, 0, 1, 2, 3, 4, 0, 1]
    assert counted("line of the speech") == [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert counted("line of the speech", "a\nb\nc\n\nd\ne") == [0, 0, 1, 1, 2, 2, 0, 1, 1, 2]


@given(st.text("aB \n:'.“”()1é", max_size=200))
def test_concepts_label_every_character(text: str):
    for concept in BANK:
        values = concept.of(text)
        assert values.shape == (len(text),) and np.isfinite(values).all()
        assert (values.dtype == bool) == (concept in LABELS)


columns = hnp.arrays(float, st.tuples(st.integers(2, 40), st.integers(1, 4)), elements=st.integers(-5, 5).map(float))


def labels_for(n: int, seed: int) -> np.ndarray:
    labels = np.random.default_rng(seed).random((n, 3)) < 0.4
    labels[0], labels[1] = True, False
    return labels


@given(columns, st.integers(0, 99))
def test_roc_auc_is_share_of_ordered_pairs(values: np.ndarray, seed: int):
    labels = labels_for(len(values), seed)
    got = roc_auc(rank_order(values), labels)
    for c in range(labels.shape[1]):
        for u in range(values.shape[1]):
            having, lacking = values[labels[:, c], u], values[~labels[:, c], u]
            won = sum((a > b) + (a == b) / 2 for a in having for b in lacking)
            assert got[c, u] == pytest.approx(won / (len(having) * len(lacking)), abs=1e-12)


def test_r_squared_matches_lstsq():
    rng = np.random.default_rng(3)
    x, other = rng.normal(2, 3, (60, 4)), rng.normal(1, 3, (50, 4))
    y, y_other = (x[:, :2] * [2, -1] + rng.normal(size=(60, 2)), other[:, :2] * [2, -1] + rng.normal(size=(50, 2)))
    x[:, 3] = 0.5  # a constant unit
    slope, intercept = least_squares(x, y)
    for got_x, got_y in ((x, y), (other, y_other)):
        got = r_squared(got_x, got_y, slope, intercept)
        for c in range(2):
            for u in range(4):
                fitted, *_ = np.linalg.lstsq(np.stack([x[:, u], np.ones(60)], axis=1), y[:, c])
                left = got_y[:, c] - np.stack([got_x[:, u], np.ones(len(got_x))], axis=1) @ fitted
                if u < 3:
                    expected = 1 - (left**2).sum() / ((got_y[:, c] - got_y[:, c].mean()) ** 2).sum()
                    assert got[c, u] == pytest.approx(expected, abs=1e-10)
    assert (slope[:, 3] == 0).all() and r_squared(x, y, slope, intercept)[:, 3] == pytest.approx(0)


def test_score_direction_comes_from_first_half():
    text = "ab\n" * 400
    targets = ConceptTargets.of(text, [CONCEPTS["newline"], CONCEPTS["position in word"]])
    right = (np.array(list(text)) == "\n").astype(float)
    reversed_later = np.concatenate([right[:600], -right[600:]])
    scores = score(targets, np.stack([right, -right, reversed_later, np.zeros(1200)], axis=1))
    assert scores.train[0].tolist() == [1, 1, 1, 0.5]
    assert scores.held_out[0].tolist() == [1, 1, 0, 0.5]
    assert scores.direction[0].tolist() == [1, -1, 1, 1]
    assert scores.train[1, 0] == pytest.approx(0.75)  # of 0, 1, 2 a newline takes the 0: 2/3 · (3/2)² of 2 · 1
    assert scores.held_out[1, 2] < 0 < scores.held_out[1, 1]


def test_rare_concepts_are_not_scored():
    assert ConceptTargets.of(TEXT).rare == ("digit", "inside quotes", "inside brackets")
    with pytest.raises(ValueError, match="399 characters: units are scored on 400"):
        ConceptTargets.of("a\n" * 199 + "b")


def random_scores(seed: int) -> Scores:
    held_out = np.random.default_rng(seed).beta(30, 30, size=(12, 400))
    return Scores(held_out, held_out, np.ones_like(held_out))


def test_baseline_passes_two_percent_of_own_units():
    scores = [random_scores(seed) for seed in range(5)]
    together = np.concatenate([each.held_out for each in scores], axis=1)
    baseline = Baseline.of(scores)
    assert baseline.units == 2000
    np.testing.assert_allclose((together > baseline.percentile[:, None]).mean(axis=1), 0.01, atol=1e-3)
    assert (together > baseline.to_beat[:, None]).any(axis=0).mean() == pytest.approx(0.02, abs=1e-3)


def test_chance_counts_the_concepts_of_untrained_networks():
    """Compare the best units of the first half with the baseline of other networks."""
    rng = np.random.default_rng(0)
    scores = [Scores(rng.random((6, 30)), rng.random((6, 30)), np.ones((6, 30))) for _ in range(4)]
    found = []
    for i, own in enumerate(scores):
        baseline = Baseline.of(scores[:i] + scores[i + 1 :])
        best = own.train.argmax(axis=1)
        found.append(sum(own.held_out[c, u] > baseline.to_beat[c] for c, u in enumerate(best)))
    assert Baseline.of(scores).chance == np.mean(found)
    left_out, baseline = found[3], Baseline.of(scores[:3], scores[3:])
    assert baseline.chance == left_out and baseline.margin == Baseline.of(scores[:3]).margin
    assert Baseline.of(scores[:1]).chance is None


@pytest.mark.parametrize("direction", [1, -1])
def test_resampled_scores_are_those_of_repeated_characters(direction: int):
    rng = np.random.default_rng(4)
    values, labels, y = rng.integers(-4, 5, 80) * 0.5, rng.random(80) < 0.3, rng.standard_normal(80)
    counts = resample_counts(80, 4, resamples=30)
    assert counts is not None
    auc = resampled_auc(direction * values, labels, counts)
    r2 = resampled_r_squared(y, 0.25 + 2 * values, counts)
    for row, got_auc, got_r2 in zip(counts.astype(int), auc, r2, strict=True):
        x, label, target = (np.repeat(part, row) for part in (values, labels, y))
        expected = roc_auc(rank_order(x[:, None]), label[:, None]).item()
        assert got_auc == pytest.approx(expected if direction > 0 else 1 - expected, abs=1e-12)
        line = np.array([[2.0]]), np.array([[0.25]])
        assert got_r2 == pytest.approx(r_squared(x[:, None], target[:, None], *line).item(), abs=1e-9)
    assert np.isnan(resampled_auc(values, np.zeros(80, bool), counts)).all()


def test_intervals_contain_held_out_scores():
    text = quoting(6000, 0)
    targets = ConceptTargets.of(text)
    activations = np.random.default_rng(1).standard_normal((6000, 3)) + targets.labels[:, :1]
    best = best_units(targets, score(targets, activations), Baseline.of([score(targets, activations)]))
    for before, after in zip(best, with_intervals(targets, activations, best), strict=True):
        assert after.interval is not None and after._replace(interval=None) == before
        assert after.interval.low < after.held_out < after.interval.high
    assert with_intervals(ConceptTargets.of(text[:4000]), activations[:4000], best)[0].interval is None


def planted(vocab: Vocab, seed: int) -> CharRNN:
    """A random vanilla network whose unit 7 is set by “ and cleared by ”."""
    rng = torch.Generator().manual_seed(seed)
    model = CharRNN(len(vocab), 80)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng) / 9)
        model.embed.weight.copy_(torch.eye(len(vocab), 80))
        model.cell.W_ih.weight[7] = 0
        model.cell.W_ih.weight[7, vocab.encode("“")[0]] = 20
        model.cell.W_ih.weight[7, vocab.encode("”")[0]] = -20
        model.cell.W_hh.weight[7] = 0
        model.cell.W_hh.weight[7, 7] = 5
        model.cell.W_hh.bias[7] = 0
    return model


def test_planted_unit_is_found_and_noise_is_not():
    text = quoting(5000, 0)
    vocab = Vocab.from_text(text)
    targets, ids = ConceptTargets.of(text), vocab.encode(text)
    config = {"cell": "rnn", "hidden_dim": 80}

    def scored(model) -> Scores:
        return score(targets, all_activations(model.decoder(), ids, "h"))

    baseline = Baseline.of([scored(untrained(config, len(vocab), {}, seed)) for seed in range(100, 112)])
    found = scored(planted(vocab, 1))
    (best,) = [best for best in best_units(targets, found, baseline) if best.concept == "inside quotes"]
    assert best.found and (best.unit, best.direction, best.held_out) == (7, 1, 1.0)
    assert best.percentile < 0.7
    assert unit_names(targets, found, baseline)[7] == "inside quotes"

    others = [unit_names(targets, scored(untrained(config, len(vocab), {}, seed)), baseline) for seed in range(10)]
    share = np.mean([name is not None for unit in others for name in unit])
    assert share <= 0.05


def test_saturated_activations_are_told_apart():
    """In float32 many are exactly ±1, and ranks among them would depend on the tanh."""
    rnn = load(ROOT / "checkpoints" / "rnn")
    h = all_activations(rnn.model.decoder(), rnn.vocab.encode(rnn.info.passage[:1000]), "h")
    assert (np.abs(h) == 1).mean() < 0.02 and (np.abs(h.astype(np.float32)) == 1).mean() > 0.2


@pytest.mark.parametrize("cell", ["gru", "lstm", "minigpt"])
def test_activations_in_pieces_match_steps(cell: str):
    vocab = Vocab.from_text(TEXT)
    decoder = untrained({"cell": cell, "hidden_dim": 16}, len(vocab), {}, 0).decoder()
    ids = vocab.encode(TEXT[:1100])
    output, expected = decoder.prefill([]), []
    name = "layer 2" if cell == "minigpt" else "h"
    for id in ids:
        output = decoder.step(id, output.state)
        expected.append(output.activations[name])
    np.testing.assert_allclose(all_activations(decoder, ids, name), expected, atol=2e-5)


def test_untrained_network_follows_recipe_and_seed():
    config = {"cell": "lstm", "hidden_dim": 8}
    recipe = {"initialisation": "orthogonal"}
    first, same, other = (untrained(config, 5, recipe, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(first["cell.W_hh.weight"], same["cell.W_hh.weight"])
    assert not torch.equal(first["cell.W_hh.weight"], other["cell.W_hh.weight"])
    assert first["cell.W_hh.bias"].tolist() == [0] * 8 + [1] * 8 + [0] * 16  # the forget gate starts open
    unknown = untrained(config, 5, {"initialisation": "unknown", "other": 3}, 1).state_dict()
    assert unknown["cell.W_hh.bias"].abs().max() <= 8**-0.5


def test_top_spans_are_runs_of_high_values():
    text = "abcdefghij" * 10
    values = np.zeros(100)
    values[20:23], values[50:52], values[99] = 1, 2, 1
    spans = top_spans(text, values, limit=2, context=3)
    assert [(span.first, span.end) for span in spans] == [(50, 52), (20, 23)]
    assert spans[0] == (50, 52, "hij", "ab", "cde", 2.0)
    assert [span.text for span in top_spans(text, values, limit=9)] == ["ab", "abc", "j"]
    assert top_spans(text, np.ones(100)) == []


@settings(max_examples=30)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 5))
def test_top_spans_never_touch(values: list[int], context: int):
    text = "".join(chr(97 + i % 26) for i in range(len(values)))
    spans = sorted(top_spans(text, np.array(values, float), limit=99, context=context))
    for span in spans:
        assert text[span.first : span.end] == span.text and text.find(span.before + span.text + span.after) >= 0
        assert span.peak == max(values[span.first : span.end])
    assert all(a.end < b.first for a, b in zip(spans, spans[1:], strict=False))


def test_saturation_counts_extreme_gates():
    values = np.array([[0.05, 0.5], [0.1, 0.95], [0.9, 0.91], [0.0, 0.92]])
    saturation = Saturation.of("f", values)
    assert (saturation.shut.tolist(), saturation.open.tolist()) == ([0.5, 0.0], [0.0, 0.75])
