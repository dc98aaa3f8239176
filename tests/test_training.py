import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from charrnn import training as training_module
from charrnn.corpus import Corpus, CorpusError
from charrnn.model import CharRNN
from charrnn.training import (
    RECIPES,
    DivergedError,
    Recipe,
    Training,
    evaluate_cold,
    evaluate_stream,
    initialise,
    loss_nats,
)

TEXT = "the quick brown fox jumps over the lazy dog. " * 60
SMALL = replace(RECIPES["tuned"], steps=12, batch=4, seq_len=8, hidden_dim=10, learning_rate=3e-3, warmup_steps=3)


def run(training, steps):
    while training.step < steps:
        if training.measure_due:
            training.measure()
        training.advance()
    if training.measure_due:
        training.measure()
    return training


def same_weights(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_the_loss_falls_and_the_curve_starts_near_the_logarithm_of_the_vocabulary():
    training = run(Training(Corpus.from_text(TEXT), replace(SMALL, steps=150, learning_rate=0.01)), 150)
    first, last = training.history[0], training.history[-1]
    assert first.train_loss_nats == pytest.approx(math.log(len(training.corpus.vocab)), abs=0.5)
    assert last.train_loss_nats < 0.7 * first.train_loss_nats
    assert last.val_loss_nats is not None and first.val_loss_nats is not None
    assert last.val_loss_nats < 0.7 * first.val_loss_nats


def test_an_update_is_that_of_torch_optim_on_the_readable_loop():
    corpus = Corpus.from_text(TEXT)
    training = Training(corpus, replace(SMALL, max_grad_norm=0.05, warmup_steps=0))
    reference = CharRNN(len(corpus.vocab), 10)
    reference.load_state_dict(training.model.state_dict())
    rng = training._rng.clone_state()
    training.advance()
    starts = torch.randint(len(corpus.train_ids) - 8, (4, 1), generator=rng)
    x = corpus.train_ids[starts + torch.arange(8)]
    y = corpus.train_ids[starts + torch.arange(8) + 1]
    loss = F.cross_entropy(reference(x)[0].flatten(0, 1), y.flatten())
    gradients = torch.autograd.grad(loss, list(reference.parameters()))
    norm = math.sqrt(sum(gradient.square().sum().item() for gradient in gradients))
    for parameter, gradient in zip(reference.parameters(), gradients, strict=True):
        parameter.grad = gradient * min(1, 0.05 / norm)
    torch.optim.AdamW(reference.parameters(), lr=SMALL.learning_rate, betas=(0.9, 0.99), weight_decay=0.01).step()
    for ours, theirs in zip(training.model.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_same_seed_trains_the_same_weights_and_another_seed_others():
    corpus = Corpus.from_text(TEXT)
    a, b, c = (run(Training(corpus, SMALL, seed), 12).model for seed in (1, 1, 2))
    assert same_weights(a, b)
    assert not same_weights(a, c)


@pytest.mark.parametrize("stop", [0, 1, 5, 10, 11])
def test_a_resumed_run_ends_in_the_same_weights_and_curve(stop):
    corpus = Corpus.from_text(TEXT)
    whole = run(Training(corpus, SMALL, seed=3), 12)
    tensors, state = run(Training(corpus, SMALL, seed=3), stop).state()
    resumed = run(Training.resume(corpus, tensors, state), 12)
    assert same_weights(whole.model, resumed.model)
    assert [(p.step, p.train_loss_nats, p.val_loss_nats) for p in whole.history] == [
        (p.step, p.train_loss_nats, p.val_loss_nats) for p in resumed.history
    ]
    assert whole.saved.keys() == resumed.saved.keys() == {0, 10}
    assert torch.equal(whole.saved[10]["head.weight"], resumed.saved[10]["head.weight"])


def test_a_run_does_not_go_on_with_another_text():
    tensors, state = Training(Corpus.from_text(TEXT), SMALL).state()
    with pytest.raises(ValueError, match="sha256"):
        Training.resume(Corpus.from_text(TEXT + "!"), tensors, state)


def test_a_loss_that_is_not_finite_stops_before_the_weights_change():
    training = run(Training(Corpus.from_text(TEXT), SMALL), 4)
    with torch.no_grad():
        training.model.head.weight[0, 0] = math.nan
    before = training.model.cell.W_hh.weight.clone()
    with pytest.raises(DivergedError, match="step 4: loss nan, gradient norm nan"):
        training.advance()
    assert torch.equal(training.model.cell.W_hh.weight, before)
    assert training.step == 4


def test_weights_that_an_update_ruined_are_neither_measured_nor_kept():
    training = run(Training(Corpus.from_text(TEXT), SMALL), 4)
    with torch.no_grad():
        training.model.embed.weight[0, 0] = math.inf
    for refuse in (training.require_finite, training.measure):
        with pytest.raises(DivergedError, match="step 4"):
            refuse()


def test_without_clipping_the_gradient_keeps_its_norm():
    clipped, free = (Training(Corpus.from_text(TEXT), replace(SMALL, max_grad_norm=norm)) for norm in (1e-3, 0.0))
    for training in (clipped, free):
        training.advance()
    norms = [
        torch.cat([p.grad.flatten() for p in training.model.parameters() if p.grad is not None]).norm().item()
        for training in (clipped, free)
    ]
    assert norms[0] == pytest.approx(1e-3, rel=1e-3)
    assert norms[1] == pytest.approx(free._grad_norm, rel=1e-5)


def test_the_rate_warms_up_to_its_peak_and_ends_at_its_final_share():
    recipe = Recipe(steps=100, learning_rate=1.0, warmup_steps=10, final_rate=0.1)
    rates = [recipe.rate(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[100] == pytest.approx(0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_lab_recipe_has_a_constant_rate_and_default_initialisation():
    lab = RECIPES["lab"]
    assert {lab.rate(step) for step in range(0, 2000, 100)} == {1e-3}
    assert (lab.initialisation, lab.max_grad_norm, lab.seq_len, lab.hidden_dim) == ("default", 5.0, 128, 256)


def test_initialisation_uses_its_own_generator_alone():
    before = torch.get_rng_state()
    models = [CharRNN(7, 6), CharRNN(7, 6)]
    torch.set_rng_state(before)
    for model in models:
        initialise(model, "orthogonal", torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), before)
    assert same_weights(*models)
    W_hh = models[0].cell.W_hh.weight
    assert torch.allclose(W_hh @ W_hh.t(), torch.eye(6), atol=1e-5)


def test_default_initialisation_has_the_spread_of_torch_nn():
    """Uniform within 1/sqrt(H) and normal embeddings; a false alarm has a probability below 1e-9."""
    model = CharRNN(65, 256)
    initialise(model, "default", torch.Generator().manual_seed(1))
    assert model.cell.W_hh.weight.abs().max() <= 1 / 16
    assert model.cell.W_hh.weight.std().item() == pytest.approx(1 / 16 / math.sqrt(3), rel=0.02)
    assert model.embed.weight.std().item() == pytest.approx(1, rel=0.04)


def test_stream_evaluation_is_the_mean_over_one_pass_with_the_state_carried():
    model, ids = CharRNN(5, 4), torch.randint(5, (1500,))
    ours = evaluate_stream(model, ids)
    total = 0.0
    for row in ids.view(5, 300):  # 1500 // 256 streams
        logits, _ = model(row[None, :-1])
        total += F.cross_entropy(logits[0], row[1:], reduction="sum").item()
    assert ours == pytest.approx(total / (5 * 299), rel=1e-5)


def test_stream_evaluation_carries_the_state_across_its_own_chunks():
    model, ids = CharRNN(5, 4), torch.randint(5, (64 * 1200,))
    logits, _ = model(ids.view(64, 1200)[:, :-1])
    whole = F.cross_entropy(logits.flatten(0, 1), ids.view(64, 1200)[:, 1:].flatten()).item()
    assert evaluate_stream(model, ids) == pytest.approx(whole, rel=1e-5)


def test_cold_evaluation_starts_every_window_from_zero():
    model, ids = CharRNN(5, 4), torch.randint(5, (900,))
    losses = [F.cross_entropy(model(ids[None, i : i + 256])[0][0], ids[i + 1 : i + 257]).item() for i in (0, 256, 512)]
    assert evaluate_cold(model, ids) == pytest.approx(sum(losses) / 3, rel=1e-5)


def test_cold_evaluation_reads_in_batches_without_changing_the_mean(monkeypatch):
    model, ids = CharRNN(5, 4), torch.randint(5, (256 * 7 + 1,))
    whole = evaluate_cold(model, ids)
    monkeypatch.setattr(training_module, "COLD_BATCH", 3)
    assert evaluate_cold(model, ids) == pytest.approx(whole, rel=1e-6)


def test_metrics_between_two_points_of_the_curve_are_of_this_step():
    training = run(Training(Corpus.from_text(TEXT), SMALL), 11)
    assert training.metrics()["train_loss_nats"] == training._losses[-1] != training.history[-1].train_loss_nats


def test_a_long_run_has_a_curve_of_bounded_length():
    training = Training(Corpus.from_text(TEXT), replace(SMALL, steps=10**6))
    training.history = []
    points = 0
    for step in range(0, 10**6, 100):
        training.step = step
        points += training.measure_due
    assert 900 <= points <= 1100


def test_evaluation_of_a_text_shorter_than_a_window_is_possible():
    model = CharRNN(5, 4)
    assert math.isfinite(evaluate_cold(model, torch.randint(5, (9,))))
    assert math.isfinite(evaluate_stream(model, torch.randint(5, (9,))))


def test_a_text_that_holds_no_window_is_refused():
    with pytest.raises(CorpusError):
        Training(Corpus.from_text("abc"), SMALL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": -1},
        {"batch": 0},
        {"seq_len": 0},
        {"hidden_dim": 0},
        {"learning_rate": math.nan},
        {"beta2": 1.0},
        {"final_rate": 2.0},
        {"max_grad_norm": -1.0},
        {"initialisation": "zeros"},
    ],
)
def test_a_recipe_that_cannot_work_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Recipe(**wrong)


def test_the_loss_is_that_of_the_readable_loop():
    model, ids = CharRNN(5, 4), torch.randint(5, (3, 7))
    reference = F.cross_entropy(model(ids[:, :-1])[0].flatten(0, 1), ids[:, 1:].flatten())
    assert loss_nats(model, ids[:, :-1], ids[:, 1:]).item() == pytest.approx(reference.item(), rel=1e-5)
