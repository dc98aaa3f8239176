"""Networks in the benchmark compute the same results."""

import json

import pytest
import torch

from charrnn.bench import run_bench as bench
from charrnn.gradient_flow import norms_by_lag
from charrnn.model import CharRNN
from charrnn.profiling import plain_training
from charrnn.training import Recipe, Training
from tests.cli import run_main

V, H = 11, 7


@pytest.fixture
def training() -> Training:
    recipe = Recipe(batch=3, seq_len=5, hidden_dim=H, warmup_steps=0, final_rate=1.0, max_grad_norm=0.05)
    return Training(bench.synthetic_corpus(V, 500), recipe, seed=4)


@pytest.mark.parametrize("network", [bench.PlainCharRNN, bench.TorchCharRNN])
def test_baselines_take_same_training_step(training, network):
    """Equal weights after updates imply equal optimizer, clipping, rate and windows."""
    baseline = plain_training(network(V, H).copy_weights(training.model), training)
    baseline.rng.set_state(training.state()[0]["rng"])
    if network is bench.TorchCharRNN:  # torch.nn has a second bias: it must not learn
        dict(baseline.model.named_parameters())["rnn.bias_ih_l0"].requires_grad_(False)
    for _ in range(4):
        training.advance()
        baseline.advance()
    for part in ("embed", "head"):
        ours, expected = getattr(training.model, part).weight, getattr(baseline.model, part).weight
        torch.testing.assert_close(expected, ours, rtol=0, atol=1e-5)


def test_plain_loop_samples_like_model():
    """Near temperature zero both write the most probable characters."""
    torch.manual_seed(0)
    model = CharRNN(V, H)
    prompt = torch.randint(V, (2, 4))
    plain = bench.PlainCharRNN(V, H).copy_weights(model)
    assert torch.equal(plain.sample(prompt, 20, 1e-6), model.sample(prompt, 20, temperature=0.0))


def test_autograd_gradient_norms_match_curve():
    model = CharRNN(V, H).double()
    ids, lags = torch.randint(V, (8,)), 6
    expected = norms_by_lag(model, ids, torch.tensor([lags]), lags)  # (K+1, 1)
    torch.testing.assert_close(bench.gradient_norms_by_autograd(model, ids[None]), expected.T)


def test_interleaving_rotates_first_contestant():
    order: list[str] = []
    contestants = {name: (lambda name=name: order.append(name)) for name in "abc"}
    turns = bench.interleave(contestants, rounds=3, warmup=1)
    assert {name: len(times) for name, times in turns.items()} == {"a": 3, "b": 3, "c": 3}
    assert order[3:] == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]


def test_ratio_is_ours_over_theirs():
    turns = {"other": [3.0, 5.0, 4.0], bench.OURS: [9.0, 1.0, 2.0]}
    rows = bench.rows(turns, lambda name, medians: {"ours_over_this": medians[bench.OURS] / medians[name]})
    assert {row["name"]: row["ours_over_this"] for row in rows} == {"other": 0.5, bench.OURS: 1.0}


@pytest.mark.parametrize(
    "verb", [["train", "--batch", "2", "--seq-len", "4"], ["sample", "--chars", "9"], ["gradients", "--positions", "3"]]
)
def test_bench_prints_json(verb, capsys):
    result = run_main(capsys, bench.main, *verb, "--hidden-dim", 8, "--rounds", 2, "--threads", 1, "--json")
    assert result.code in (0, None), result.err
    found = json.loads(result.out)
    assert found["machine"]["threads"] == 1
    assert found["rows"][-1]["name"].startswith(bench.OURS)
    for row in found["rows"]:
        assert row["median_ms"] > 0
        assert (row["ours_over_this"] or row["this_over_ours"]) > 0
