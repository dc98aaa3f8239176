"""Training: updates, resume, divergence and saved steps."""

import copy
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st

from charrnn import checkpoint
from charrnn.corpus import Corpus
from charrnn.model import CharRNN
from charrnn.registry import KINDS
from charrnn.training import RECIPES, SAVED_STEPS, DivergedError, Recipe, Training, evaluate_stream, trainer

TEXT = "the quick brown fox jumps over the lazy dog. " * 60
SMALL = replace(RECIPES["rnn"], steps=12, batch=4, seq_len=8, hidden_dim=10, learning_rate=3e-3, warmup_steps=3)
STATEFUL = replace(SMALL, stateful=True, batch=16, seq_len=24)  # six windows an epoch
GPT = replace(
    RECIPES["minigpt"], steps=12, batch=4, seq_len=8, hidden_dim=8, learning_rate=3e-3, warmup_steps=3, dropout=0.2
)


def run(training, steps):
    while training.step < steps:
        if training.should_evaluate:
            training.measure()
        training.advance()
    if training.should_evaluate:
        training.measure()
    return training


def same_weights(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_training_reduces_loss():
    training = run(Training(Corpus.from_text(TEXT), replace(SMALL, steps=150, learning_rate=0.01)), 150)
    first, last = training.history[0], training.history[-1]
    assert first.train_loss_nats == pytest.approx(math.log(len(training.corpus.vocab)), abs=0.5)
    assert last.train_loss_nats < 0.7 * first.train_loss_nats
    assert last.val_loss_nats is not None and first.val_loss_nats is not None
    assert last.val_loss_nats < 0.7 * first.val_loss_nats


@settings(max_examples=60)
@given(
    length=st.integers(1, 90),
    alphabet=st.integers(1, 5),
    seq_len=st.integers(1, 12),
    batch=st.integers(1, 5),
    cell=st.sampled_from(KINDS),
    stateful=st.booleans(),
    steps=st.integers(0, 2),
)
@example(length=20, alphabet=5, seq_len=1, batch=1, cell="rnn", stateful=False, steps=1)
@example(length=41, alphabet=1, seq_len=1, batch=1, cell="gru", stateful=True, steps=1)
def test_tiny_text_trains_or_is_refused(length, alphabet, seq_len, batch, cell, stateful, steps):
    corpus = Corpus.from_text(("abcde"[:alphabet] * length)[:length])
    try:
        recipe = Recipe(cell=cell, hidden_dim=8, seq_len=seq_len, batch=batch, stateful=stateful, steps=steps)
        training = Training(corpus, recipe)
    except ValueError as refused:
        assert "give" in str(refused) or "leave it" in str(refused)
        return
    run(training, steps)
    tensors, state = training.state()
    assert all(math.isfinite(value) for value in training.metrics()["val_halves_nats"])
    assert Training.resume(corpus, tensors, state).step == steps


def windows_of(corpus, recipe, rng):
    """The windows that an update draws, recomputed."""
    starts = torch.randint(len(corpus.train_ids) - recipe.seq_len, (recipe.batch, 1), generator=rng)
    at = starts + torch.arange(recipe.seq_len)
    return corpus.train_ids[at], corpus.train_ids[at + 1]


def test_update_matches_torch_optim():
    corpus, recipe = Corpus.from_text(TEXT), replace(SMALL, max_grad_norm=0.05, warmup_steps=0)
    training = Training(corpus, recipe)
    reference = CharRNN(len(corpus.vocab), 10)
    reference.load_state_dict(training.model.state_dict())
    x, y = windows_of(corpus, recipe, training._rng.clone_state())
    training.advance()
    loss = F.cross_entropy(reference(x)[0].flatten(0, 1), y.flatten())
    gradients = torch.autograd.grad(loss, list(reference.parameters()))
    norm = math.sqrt(sum(gradient.square().sum().item() for gradient in gradients))
    for parameter, gradient in zip(reference.parameters(), gradients, strict=True):
        parameter.grad = gradient * min(1, 0.05 / norm)
    torch.optim.AdamW(reference.parameters(), lr=SMALL.learning_rate, betas=(0.9, 0.99), weight_decay=0.01).step()
    for ours, theirs in zip(training.model.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    "recipe",
    [replace(SMALL, cell="lstm", layer_norm=True), replace(SMALL, initialisation="default"), GPT],
    ids=["lstm", "rnn", "minigpt"],
)
def test_weight_decay_applies_to_matrices_only(recipe):
    """AdamW's first update moves a weight by the learning rate plus decay."""
    training = Training(Corpus.from_text(TEXT), replace(recipe, weight_decay=100.0, warmup_steps=0))
    before = {name: weight.detach().clone() for name, weight in training.model.named_parameters()}
    training.advance()
    for name, weight in training.model.named_parameters():
        decayed = before[name] * (0.7 if weight.dim() > 1 else 1)
        assert (weight - decayed).abs().max() < 3.01e-3, name
    assert any(weight.dim() == 1 and weight.abs().max() > 0.1 for weight in before.values())


def test_stateful_update_carries_state_not_gradient():
    """Recompute two updates on contiguous streams."""
    corpus = Corpus.from_text(TEXT)
    training = Training(corpus, replace(STATEFUL, cell="lstm", max_grad_norm=0.0))
    offset = int(torch.randint(24, (), generator=training._rng.clone_state()))
    length = (len(corpus.train_ids) - offset) // 16
    state = None
    for start in (0, 24):
        reference = copy.deepcopy(training.model)
        windows = [corpus.train_ids[offset + row * length + start :][:25] for row in range(16)]
        x, y = torch.stack([w[:-1] for w in windows]), torch.stack([w[1:] for w in windows])
        logits, last = reference(x, state)
        loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
        expected = torch.autograd.grad(loss, list(reference.parameters()))
        zero_state_loss = F.cross_entropy(reference(x)[0].flatten(0, 1), y.flatten())
        from_zero = torch.autograd.grad(zero_state_loss, list(reference.parameters()))
        training.advance()
        assert training.last_update[0] == pytest.approx(loss.item(), rel=1e-5)
        for ours, theirs in zip(training.model.parameters(), expected, strict=True):
            assert ours.grad is not None and torch.allclose(ours.grad, theirs, atol=1e-6)
        state = type(last)(*(part.detach() for part in last))
    assert not all(torch.allclose(a, b, atol=1e-4) for a, b in zip(expected, from_zero, strict=True))


def test_training_repeats_with_seed():
    corpus = Corpus.from_text(TEXT)
    a, b, c = (run(Training(corpus, SMALL, seed), 12).model for seed in (1, 1, 2))
    assert same_weights(a, b)
    assert not same_weights(a, c)


def losses(training):
    return [(point.step, point.train_loss_nats, point.val_loss_nats) for point in training.history]


RESUMED = {
    "rnn": SMALL,
    "stateful": STATEFUL,
    "stateful lstm with dropout": replace(
        STATEFUL, cell="lstm", dropout=0.3, input_dropout=0.2, recurrent_dropout=0.1, initialisation="chrono"
    ),
    "dropout": replace(SMALL, dropout=0.3, input_dropout=0.2, recurrent_dropout=0.1),
    "lstm with layer norm": replace(SMALL, cell="lstm", layer_norm=True),
    "gru": replace(SMALL, cell="gru"),
    "minigpt": GPT,
}


@pytest.mark.parametrize("recipe", RESUMED.values(), ids=RESUMED.keys())
def test_resumed_run_matches_undisturbed_run(tmp_path, recipe):
    corpus = Corpus.from_text(TEXT)
    whole, stopped = (Training(corpus, recipe, seed=3) for _ in range(2))
    expected = losses(run(whole, 12))
    for stop in (0, 1, 5, 6, 10, 11):  # an epoch of the stateful ones has 6 updates
        checkpoint.save_run(tmp_path, *run(stopped, stop).state())
        resumed = run(Training.resume(corpus, *checkpoint.load_run(tmp_path)), 12)
        assert same_weights(whole.model, resumed.model), stop
        assert losses(resumed) == expected
        assert whole.saved.keys() == resumed.saved.keys() == {0, 10}
        assert torch.equal(whole.saved[10]["head.weight"], resumed.saved[10]["head.weight"])
        assert whole._windows.position()[1] == resumed._windows.position()[1]


def test_measuring_leaves_run_unchanged():
    corpus = Corpus.from_text(TEXT)
    for recipe in (SMALL, STATEFUL, RESUMED["dropout"], GPT):
        measured, silent = Training(corpus, recipe, seed=3), Training(corpus, recipe, seed=3)
        for _ in range(8):
            measured.measure()
            for training in (measured, silent):
                training.advance()
        assert same_weights(measured.model, silent.model)


@pytest.mark.parametrize(("keep", "steps"), [(True, {0, 10, 100}), (False, set())])
def test_steps_are_saved_if_recipe_says_so(keep, steps):
    assert SAVED_STEPS == (0, 10, 100, 300, 1000)
    training = run(Training(Corpus.from_text(TEXT), replace(SMALL, steps=120, keep_steps=keep)), 120)
    assert training.saved.keys() == steps
    assert all(weight.dtype == torch.float16 for weights in training.saved.values() for weight in weights.values())
    assert [point.step for point in training.history] == [0, 10, 100, 120]


def test_infinite_loss_stops_before_update():
    training = run(Training(Corpus.from_text(TEXT), SMALL), 4)
    with torch.no_grad():
        training.model.head.weight[0, 0] = math.nan
    before = training.model.embed.weight.clone()
    with pytest.raises(DivergedError, match="step 4: loss nan, gradient norm nan"):
        training.advance()
    assert torch.equal(training.model.embed.weight, before)
    assert training.step == 4


def test_infinite_weights_are_not_measured():
    training = run(Training(Corpus.from_text(TEXT), SMALL), 4)
    with torch.no_grad():
        training.model.embed.weight[0, 0] = math.inf
    for refuse in (training.require_finite, training.measure):
        with pytest.raises(DivergedError, match="step 4"):
            refuse()


def test_network_follows_recipe():
    corpus = Corpus.from_text(TEXT)
    for recipe in RESUMED.values():
        model = Training(corpus, recipe).model
        assert model.config.items() >= recipe.config.items()
        assert model.dropout == recipe.dropout
        if isinstance(model, CharRNN):
            assert (model.input_dropout, model.recurrent_dropout) == (recipe.input_dropout, recipe.recurrent_dropout)
        else:
            assert model.context == recipe.seq_len


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e6])
def test_weights_are_rounded_to_half_if_loss_allows(scale):
    training = run(Training(Corpus.from_text(TEXT), SMALL), 12)
    with torch.no_grad():
        training.model.head.weight.mul_(scale)  # halves are 8 apart at 10,000 and end before 65,536
    before, rounded = copy.deepcopy(training.model), copy.deepcopy(training.model)
    for weight in rounded.parameters():
        weight.data = weight.data.half().float()
    val = training.corpus.val_ids
    cost = evaluate_stream(rounded, val) - evaluate_stream(before, val)
    training.round_to_fp16()
    assert (cost < 0.001) == (scale == 1)
    assert same_weights(training.model, rounded if cost < 0.001 else before)
    halves = all(torch.equal(weight, weight.half().float()) for weight in training.model.parameters())
    assert halves == (scale == 1)


def test_metrics_are_of_current_step():
    training = run(Training(Corpus.from_text(TEXT), SMALL), 11)
    assert training.metrics()["train_loss_nats"] == training._losses[-1] != training.history[-1].train_loss_nats


def test_long_validation_text_is_read_whole_once(monkeypatch):
    corpus = Corpus.from_text(TEXT * 40)
    training = Training(corpus, replace(SMALL, steps=2, val_chars=512))
    read = []
    monkeypatch.setattr(trainer, "evaluate_stream", lambda model, ids, *_: read.append(len(ids)) or 1.0)
    monkeypatch.setattr(trainer, "evaluate_cold", lambda model, ids, *_: read.append(len(ids)) or 1.0)
    run(training, 1)
    assert training.metrics()["val_chars"] == 512 and max(read) == 512, "a run that can be stopped at any time"
    run(training, 2)
    read.clear()
    training.round_to_fp16()
    assert training.metrics()["val_chars"] == len(corpus.val_ids) > 1024
    assert sum(read) == 2 * 512 + training.final_chars


def test_evaluations_count_what_they_read():
    training, read = run(Training(Corpus.from_text(TEXT * 20), SMALL), SMALL.steps), []
    training.metrics(read.append)
    assert 0.9 * training.final_chars < sum(read) <= training.final_chars


def test_history_length_is_bounded():
    training = Training(Corpus.from_text(TEXT), replace(SMALL, steps=10**6))
    training.history = []
    points = 0
    for step in range(0, 10**6, 100):
        training.step = step
        points += training.should_evaluate
    assert 900 <= points <= 1100


def test_loss_beyond_limit_is_divergence():
    training = Training(Corpus.from_text(TEXT), SMALL)
    with torch.no_grad():
        training.model.head.bias[0] = -1e9  # the loss is finite
    with pytest.raises(DivergedError, match="diverged at step 0"):
        training.advance()
    with pytest.raises(DivergedError, match="diverged at step 0"):
        training.measure()
    assert not training.history
