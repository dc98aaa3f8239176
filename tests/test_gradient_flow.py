import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from charrnn.cells import HiddenState
from charrnn.gradient_flow import first_crossing, gradient_flow, gradient_norms
from charrnn.model import CharRNN


def small_model(hidden_dim=6, seed=0):
    rng = torch.Generator().manual_seed(seed)
    model = CharRNN(5, hidden_dim)
    for parameter in model.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=rng) * 0.5)
    return model, torch.randint(5, (40,), generator=rng)


def test_norms_equal_autograd_of_the_one_loss_through_the_readable_loop():
    model, ids = small_model()
    norms = gradient_norms(model, ids, torch.tensor([12, 30]), max_lag=10)
    exact = copy.deepcopy(model).double()
    for column, position in enumerate((12, 30)):
        state, states = exact.cell.initial_state(1), []
        for x in exact.embed(ids[: position + 1])[:, None]:
            h = exact.cell(x, state).h
            h.retain_grad()
            state = HiddenState(h)
            states.append(h)
        F.cross_entropy(exact.head(state.h), ids[position + 1 : position + 2]).backward()
        for lag in range(11):
            assert norms[lag, column] == pytest.approx(states[position - lag].grad.norm().item(), rel=1e-10)


def test_the_gradient_at_a_lag_agrees_with_finite_differences():
    model, ids = small_model()
    exact, position, lag, eps = copy.deepcopy(model).double(), 20, 4, 1e-5
    h = exact.states(ids[None, : position - lag + 1])[0, -1]

    def loss(h):
        logits, _ = exact(ids[None, position - lag + 1 : position + 1], HiddenState(h[None]))
        return F.cross_entropy(logits[:, -1], ids[position + 1 : position + 2]).item()

    with torch.no_grad():
        directions = torch.eye(6, dtype=torch.float64) * eps
        by_differences = torch.tensor([(loss(h + d) - loss(h - d)) / (2 * eps) for d in directions])
    norms = gradient_norms(model, ids, torch.tensor([position]), max_lag=lag)
    assert norms[lag, 0] == pytest.approx(by_differences.norm().item(), rel=1e-6)


def test_without_input_and_state_an_orthogonal_net_neither_loses_nor_gains_gradient():
    model, ids = small_model(hidden_dim=8)
    with torch.no_grad():
        torch.nn.init.orthogonal_(model.cell.W_hh.weight)
        model.cell.W_hh.bias.zero_()
        model.embed.weight.zero_()
    flow = gradient_flow(model, ids.tolist(), max_lag=20)
    assert np.allclose(flow.median, 1, atol=1e-5)
    assert flow.half_life_chars is None


def test_a_scaled_orthogonal_net_loses_exactly_its_scale_a_step():
    model, ids = small_model(hidden_dim=8)
    with torch.no_grad():
        torch.nn.init.orthogonal_(model.cell.W_hh.weight, gain=0.8)
        model.cell.W_hh.bias.zero_()
        model.embed.weight.zero_()
    flow = gradient_flow(model, ids.tolist(), max_lag=20)
    assert np.allclose(flow.median, 0.8**flow.lags, rtol=1e-5)
    assert np.allclose(flow.geometric_mean, 0.8**flow.lags, rtol=1e-5)
    assert flow.half_life_chars == pytest.approx(np.log(0.5) / np.log(0.8), rel=1e-5)


def test_the_curve_starts_at_one_and_the_band_holds_the_median():
    model, ids = small_model()
    flow = gradient_flow(model, ids.tolist(), max_lag=10, positions=20)
    assert flow.positions == 20
    assert flow.median[0] == 1
    assert (flow.low <= flow.median).all() and (flow.median <= flow.high).all()


def test_the_shortest_text_has_one_position_and_a_shorter_one_is_refused():
    model, ids = small_model()
    assert gradient_flow(model, ids[:12].tolist(), max_lag=10).positions == 1
    with pytest.raises(ValueError, match="11 characters.*at least 12"):
        gradient_flow(model, ids[:11].tolist(), max_lag=10)


def test_a_model_that_is_certain_has_no_gradient_to_follow():
    model = CharRNN(1, 4)
    with pytest.raises(ValueError, match="no gradient"):
        gradient_flow(model, [0] * 30, max_lag=10)


def test_a_crossing_is_interpolated_on_the_logarithm():
    assert first_crossing(np.array([1, 0.8, 0.2]), 0.4) == pytest.approx(1.5)
    assert first_crossing(np.array([1, 0.8, 0.7]), 0.4) is None
