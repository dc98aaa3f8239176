"""Gradient norms and input saliency equal autograd and finite differences."""

import copy
import math
from importlib import import_module

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from charrnn.gradient_flow import first_crossing, gradient_flow, input_saliency, norms_by_lag, scale_recurrent
from charrnn.minigpt import MiniGPT
from charrnn.model import CharRNN
from tests.random_weights import randomize

CELLS = [(cell, layer_norm) for cell in ("rnn", "gru", "lstm") for layer_norm in (False, True)]
every_cell = pytest.mark.parametrize(("cell", "layer_norm"), CELLS)


def with_text(model, seed=0):
    """The model with random weights, and a text."""
    rng = torch.Generator().manual_seed(seed)
    return randomize(model, 0.5, rng), torch.randint(5, (40,), generator=rng)


def recurrent(cell="rnn", layer_norm=False, hidden_dim=6):
    return with_text(CharRNN(5, hidden_dim, cell, layer_norm))


def attentive(context=8):
    return with_text(MiniGPT(5, hidden_dim=8, layers=3, heads=2, context=context))


@every_cell
def test_gradient_norms_match_autograd(cell, layer_norm):
    """For each lag, detach the state there and run the loop from it to the loss."""
    model, ids = recurrent(cell, layer_norm)
    positions = [10, 12, 30, 38]
    norms = norms_by_lag(model, ids, torch.tensor(positions), max_lag=10)
    assert norms.shape == (11, 4)
    exact = copy.deepcopy(model).double()
    for column, position in enumerate(positions):
        for lag in range(11):
            _, state = exact(ids[None, : position - lag + 1])
            leaves = [part.detach().requires_grad_() for part in state]
            logits, end = exact.head(leaves[0]), type(state)(*leaves)
            if lag:
                logits = exact(ids[None, position - lag + 1 : position + 1], end)[0][:, -1]
            loss = F.cross_entropy(logits, ids[position + 1 : position + 2])
            gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
            assert norms[lag, column].item() == pytest.approx(torch.cat(gradients).norm().item(), rel=1e-10)


@pytest.mark.parametrize("lag", [0, 1, 5, 7])
def test_gradient_norms_of_transformer_match_differences(lag):
    model, ids = attentive(context=8)
    exact, position, eps = copy.deepcopy(model).double().requires_grad_(False), 20, 1e-5
    x = exact.embed(ids[None, position - 7 : position + 1])  # (1, 8, d), the last eight characters

    def loss(shift):
        moved = x.clone()
        moved[0, 7 - lag] += shift
        return F.cross_entropy(exact.from_embedded(moved)[0][:, -1], ids[position + 1 : position + 2]).item()

    directions = torch.eye(8, dtype=torch.float64) * eps
    expected = torch.tensor([(loss(d) - loss(-d)) / (2 * eps) for d in directions])
    norms = norms_by_lag(model, ids, torch.tensor([position]), max_lag=7)
    assert norms[lag, 0].item() == pytest.approx(expected.norm().item(), rel=1e-6)


def test_gradient_is_zero_beyond_context():
    model, ids = attentive(context=8)
    norms = norms_by_lag(model, ids, torch.tensor([20, 30]), max_lag=15)
    assert (norms[:8] > 0).all()
    assert (norms[8:] == 0).all()
    flow = gradient_flow(model, ids.tolist(), max_lag=15)
    assert (flow.median[8:] == 0).all() and (flow.high[8:] == 0).all()
    assert flow.horizon_chars is not None and flow.horizon_chars <= 8


def test_gradient_norms_are_independent_of_pieces(monkeypatch):
    model, ids = attentive()
    positions = torch.arange(15, 38)
    whole = norms_by_lag(model, ids, positions, max_lag=10)
    monkeypatch.setattr(import_module("charrnn.gradient_flow.gradient_norms"), "WINDOWS_AT_ONCE", 4)
    assert torch.allclose(norms_by_lag(model, ids, positions, max_lag=10), whole, rtol=1e-12)
    one_by_one = [norms_by_lag(model, ids, position[None], max_lag=10) for position in positions]
    assert torch.allclose(torch.cat(one_by_one, dim=1), whole, rtol=1e-12)


@every_cell
@pytest.mark.parametrize("edited", [False, True])
def test_gradient_norms_are_independent_of_text_pieces(monkeypatch, cell, layer_norm, edited):
    """Also for a cell whose backward pass is autograd."""
    model, ids = recurrent(cell, layer_norm)
    if edited:
        monkeypatch.setattr(CharRNN, "bptt_difference", lambda model: "edited")
    positions = torch.tensor([7, 38, 10, 25, 11, 12])  # none in 13 … 23, the second piece of 12
    whole = norms_by_lag(model, ids, positions, max_lag=7)
    for length in (12, 8, 5):
        monkeypatch.setattr(import_module("charrnn.gradient_flow.gradient_norms"), "READ_AT_ONCE", length)
        assert torch.allclose(norms_by_lag(model, ids, positions, max_lag=7), whole, rtol=1e-12)


@pytest.mark.parametrize("make", [recurrent, attentive])
def test_gradient_curve_starts_at_one(make):
    model, ids = make()
    flow = gradient_flow(model, ids.tolist(), max_lag=10, positions=20)
    assert flow.positions == 20
    assert flow.median[0] == 1
    assert (flow.low <= flow.median).all() and (flow.median <= flow.high).all()


def test_positions_are_spread_over_text():
    model, _ = recurrent()
    ids = torch.randint(5, (3000,), generator=torch.Generator().manual_seed(1))
    flow = gradient_flow(model, ids.tolist(), max_lag=6)
    assert flow.positions == 512
    positions = torch.linspace(6, 2998, 512, dtype=torch.float64).round().long()
    norms = norms_by_lag(model, ids, positions, max_lag=6)
    assert len(positions.unique()) == 512
    assert np.allclose(flow.median, np.median((norms / norms[0]).numpy(), axis=1), rtol=1e-12)


def test_short_text_uses_all_positions():
    model, ids = recurrent()
    flow = gradient_flow(model, ids.tolist(), max_lag=10)
    assert flow.positions == 29  # 10 … 38
    norms = norms_by_lag(model, ids, torch.arange(10, 39), max_lag=10)
    assert np.allclose(flow.geometric_mean, (norms / norms[0]).log().mean(1).exp(), rtol=1e-12)


def test_transformer_reads_full_context_for_few_lags():
    model, ids = attentive(context=16)
    norms = norms_by_lag(model, ids, torch.tensor([15]), max_lag=15)[:5, 0]  # a window of 16
    flow = gradient_flow(model, ids[:17].tolist(), max_lag=4)
    assert flow.positions == 1 and flow.median == pytest.approx((norms / norms[0]).numpy(), rel=1e-12)
    assert gradient_flow(model, ids[:16].tolist(), max_lag=4).positions == 11  # too short for that


@pytest.mark.parametrize("make", [recurrent, attentive])
def test_text_too_short_for_lags_is_refused(make):
    model, ids = make()
    assert gradient_flow(model, ids[:12].tolist(), max_lag=10).positions == 1
    with pytest.raises(ValueError, match="11 characters.*at least 12"):
        gradient_flow(model, ids[:11].tolist(), max_lag=10)


@pytest.mark.parametrize(
    "model",
    [CharRNN(1, 4), CharRNN(1, 4, "lstm", layer_norm=True), MiniGPT(1, 8, layers=1, heads=2, context=4)],
    ids=["rnn", "lstm", "minigpt"],
)
def test_certain_model_has_no_gradient(model):
    with pytest.raises(ValueError, match="no gradient"):
        gradient_flow(model, [0] * 30, max_lag=10)


@pytest.mark.parametrize("make", [recurrent, attentive])
def test_gradient_flow_leaves_model_unchanged(make):
    model, ids = make()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    gradient_flow(model, ids.tolist(), max_lag=10)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_crossing_is_interpolated_on_log_scale():
    assert first_crossing(np.array([1, 0.8, 0.2]), 0.4) == pytest.approx(1.5)
    assert first_crossing(np.array([1, 0.8, 0.7]), 0.4) is None
    assert first_crossing(np.array([1, 0.8, 0.0]), 0.4) == 2


@every_cell
def test_saliency_matches_autograd(cell, layer_norm):
    model, ids = recurrent(cell, layer_norm)
    positions = torch.tensor([0, 3, 17, 38])
    norms = input_saliency(model, ids, positions, max_lag=20)
    assert norms.shape == (21, 4) and norms.dtype == torch.float64
    exact = copy.deepcopy(model).double()
    for column, position in enumerate(positions.tolist()):
        x = exact.embed(ids[None, : position + 1]).detach().requires_grad_()
        state = exact.cell.initial_state(1)
        for step in x.unbind(1):
            state = exact.cell(step, state)
        logit = exact.head(state.h)[0, ids[position + 1]]
        (d_x,) = torch.autograd.grad(logit, x)
        expected = torch.zeros(21, dtype=torch.float64)
        seen = min(20, position) + 1
        expected[:seen] = d_x[0].norm(dim=-1).flip(0)[:seen]
        torch.testing.assert_close(norms[:, column], expected, rtol=1e-10, atol=0)


def test_saliency_of_transformer_matches_differences():
    model, ids = attentive(context=8)
    positions = torch.tensor([2, 7, 30])
    norms = input_saliency(model, ids, positions, max_lag=12)
    exact, eps = copy.deepcopy(model).double().requires_grad_(False), 1e-5
    for column, position in enumerate(positions.tolist()):
        start = max(0, position - 7)
        x = exact.embed(ids[None, start : position + 1])

        def logit(place, direction, x=x, position=position):
            moved = x.clone()
            moved[0, place] += direction
            return exact.from_embedded(moved)[0][0, -1, ids[position + 1]].item()

        for lag in range(13):
            place = position - lag - start
            slopes = [0.0] * 8
            if place >= 0:
                axes = torch.eye(8, dtype=torch.float64) * eps
                slopes = [(logit(place, axis) - logit(place, -axis)) / (2 * eps) for axis in axes]
            expected = torch.tensor(slopes, dtype=torch.float64).norm().item()
            assert norms[lag, column].item() == pytest.approx(expected, rel=1e-6, abs=1e-15), (position, lag)


@every_cell
def test_recurrent_scale_changes_recurrent_weights_only(cell, layer_norm):
    model, _ = recurrent(cell, layer_norm)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    scaled = scale_recurrent(model, 1.4)
    for name, weight in scaled.state_dict().items():
        expected = before[name] * 1.4 if name == "cell.W_hh.weight" else before[name]
        assert torch.equal(weight, expected), name
        weight.zero_()  # the copy is independent
        assert torch.equal(model.state_dict()[name], before[name]), name


def test_invalid_recurrent_scale_is_refused():
    with pytest.raises(ValueError, match="no recurrent weights: choose"):
        scale_recurrent(MiniGPT(5, hidden_dim=8, layers=1, heads=2, context=4), 1.2)
    for g in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="positive number"):
            scale_recurrent(CharRNN(5, 4), g)
