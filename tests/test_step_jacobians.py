"""Step Jacobians, spectra and Lyapunov exponents against autograd."""

import copy
import math

import numpy as np
import pytest
import torch
from torch.autograd.functional import jacobian

from charrnn.checkpoint import load
from charrnn.gradient_flow import (
    gradient_flow,
    lyapunov_exponents,
    norms_by_lag,
    product_norms,
    scale_recurrent,
    spectra,
    step_jacobians,
    tail_slope,
)
from charrnn.gradient_flow.jacobian_products import largest_singular_values, spaced_lags
from charrnn.gradient_flow.step_jacobian import Steps
from charrnn.model import CharRNN
from charrnn.paths import CHECKPOINTS
from tests.test_gradient_flow import attentive, every_cell, recurrent

pytestmark = pytest.mark.slow

FLAT = 1e-12


def linear_network(W):
    """A vanilla network at state zero without input: its step Jacobian is W."""
    model = CharRNN(5, len(W)).double()
    with torch.no_grad():
        for weight in (model.embed.weight, model.cell.W_hh.bias):
            weight.zero_()
        model.cell.W_hh.weight.copy_(torch.as_tensor(W))
    return model, torch.randint(5, (700,), generator=torch.Generator().manual_seed(0)).tolist()


def autograd_jacobian(model, ids, position):
    """∂state_t / ∂state_{t−1} of the cell, the step as a function, and state_{t−1}."""
    exact = copy.deepcopy(model).double().requires_grad_(False)
    _, before = exact(ids[None, :position])
    x, packed = exact.embed(ids[position : position + 1]), torch.cat(list(before), dim=-1)[0]

    def step(state):
        after = exact.cell(x, type(before)(*state[None].chunk(len(before), dim=-1)))
        return torch.cat(list(after), dim=-1)[0]

    return jacobian(step, packed), step, packed


@every_cell
def test_step_jacobian_matches_autograd(cell, layer_norm):
    model, ids = recurrent(cell, layer_norm)
    for position, found in zip((3, 20), step_jacobians(model, ids, torch.tensor([3, 20])), strict=True):
        expected, step, before = autograd_jacobian(model, ids, position)
        assert torch.allclose(found, expected, rtol=1e-10, atol=1e-14)
        moves = torch.eye(len(before), dtype=torch.float64) * 1e-5
        columns = [(step(before + move) - step(before - move)) / 2e-5 for move in moves]
        assert (found - torch.stack(columns, dim=1)).norm() <= 1e-6 * found.norm()


@every_cell
def test_vjp_and_jvp_match_step_jacobian(cell, layer_norm):
    model, ids = recurrent(cell, layer_norm)
    positions = torch.tensor([2, 9, 30])
    steps, jacobians = Steps(model, ids), step_jacobians(model, ids, positions)
    x = torch.randn(3, steps.dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(steps.vjp(x, positions), torch.einsum("pij,pi->pj", jacobians, x), rtol=1e-10)
        assert torch.allclose(steps.jvp(x, positions), torch.einsum("pij,pj->pi", jacobians, x), rtol=1e-10)


@every_cell
def test_largest_singular_value_matches_product(cell, layer_norm):
    model, ids = recurrent(cell, layer_norm)
    position, lags = 36, [1, 2, 3, 8, 20]
    with torch.no_grad():
        found = largest_singular_values(Steps(model, ids), torch.tensor([position]), lags, tolerance=1e-13)[:, 0]
    product = torch.eye(12 if cell == "lstm" else 6, dtype=torch.float64)
    for lag in range(1, 21):
        product = product @ autograd_jacobian(model, ids, position - lag + 1)[0]
        if lag in lags:
            expected = torch.linalg.svdvals(product)[0].item()
            assert found[lags.index(lag)].item() == pytest.approx(expected, rel=1e-10)


@every_cell
def test_product_norm_bounds_gradient(cell, layer_norm):
    model, ids = recurrent(cell, layer_norm)
    positions, lags = torch.arange(20, 39), spaced_lags(20)
    with torch.no_grad():
        norms = largest_singular_values(Steps(model, ids), positions, lags)
    gradients = norms_by_lag(model, ids, positions, 20)
    assert (gradients[lags] <= norms * gradients[0] * (1 + 1e-12)).all()
    measured = product_norms(model, ids.tolist(), 20, 19)
    assert measured.positions == 19 and np.array_equal(measured.median, norms.median(dim=1).values.numpy())
    assert np.allclose(measured.high, np.quantile(norms.numpy(), 0.9, axis=1), rtol=1e-12)
    if cell == "rnn" and not layer_norm:
        assert measured.bound is not None
        W = model.cell.W_hh.weight.double().detach().numpy()
        assert np.allclose(measured.bound, np.linalg.svd(W)[1][0] ** np.array(lags), rtol=1e-12)
        assert (norms.numpy() <= measured.bound[:, None] * (1 + 1e-12)).all()
    else:
        assert measured.bound is None


def test_orthogonal_net_decays_by_its_scale():
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 8)))[0]
    for scale in (1.0, 0.8, 1.3):
        model, ids = linear_network(scale * Q)
        flow, product = gradient_flow(model, ids, 40), product_norms(model, ids, 40)
        exponents = lyapunov_exponents(model, ids, count=8)
        assert np.allclose(flow.median / scale**flow.lags, 1, rtol=0, atol=FLAT)
        assert np.allclose(product.median / scale**product.lags, 1, rtol=0, atol=FLAT)
        assert product.bound is not None and np.allclose(product.bound / product.median, 1, rtol=0, atol=FLAT)
        assert np.allclose(exponents.exponents, math.log(scale), rtol=0, atol=FLAT)
        assert tail_slope(flow, 10, 40) == pytest.approx(math.log(scale), abs=FLAT)


def test_exponents_of_linear_net_are_log_eigenvalues():
    symmetric = np.random.default_rng(2).standard_normal((6, 6))
    symmetric += symmetric.T
    model, ids = linear_network(symmetric)
    expected = np.sort(np.log(abs(np.linalg.eigvalsh(symmetric))))[::-1]
    assert np.allclose(lyapunov_exponents(model, ids, count=6, warm_up=400).exponents, expected, atol=1e-9)
    W = np.diag([1.4, 0.9, 0.3]) + np.triu(np.full((3, 3), 2.0), 1)  # not normal: σ_max is not ρ
    first = lyapunov_exponents(linear_network(W)[0], ids, warm_up=400)
    assert first.exponents[0] == pytest.approx(math.log(1.4), abs=1e-9)
    assert spectra(linear_network(W)[0])[0].radius == pytest.approx(1.4) and spectra(linear_network(W)[0])[0].norm > 2


# not the other layer norms: their determinants are 0
@pytest.mark.parametrize(("cell", "layer_norm"), [("rnn", False), ("gru", False), ("gru", True), ("lstm", False)])
def test_sum_of_exponents_is_log_determinant(cell, layer_norm):
    model, _ = recurrent(cell, layer_norm)
    ids = torch.randint(5, (61,), generator=torch.Generator().manual_seed(3))
    dim = 12 if cell == "lstm" else 6
    found = lyapunov_exponents(model, ids.tolist(), count=dim, stretch=20, warm_up=0)
    dets = torch.linalg.slogdet(step_jacobians(model, ids, torch.arange(1, 61)))[1].view(3, 20).mean(dim=1)
    assert found.stretches == 3 and found.exponents.sum() == pytest.approx(dets.mean().item(), rel=1e-9)
    assert (np.diff(found.exponents) < 0.05).all()


def test_exponent_error_is_that_of_stretch_means():
    """One unit, with its derivative written out."""
    model, _ = recurrent(hidden_dim=1)
    ids = torch.randint(5, (81,), generator=torch.Generator().manual_seed(3))
    found = lyapunov_exponents(model, ids.tolist(), stretch=20, warm_up=0)
    W, exact = model.cell.W_hh.weight.double().item(), copy.deepcopy(model).double()
    h, logs = torch.zeros(1, 1, dtype=torch.float64), []
    for id in ids:
        h = exact.cell(exact.embed(id[None]), exact.cell.initial_state(1)._replace(h=h)).h
        logs.append(math.log(abs(W * (1 - h.item() ** 2))))
    samples = np.array(logs[1:]).reshape(4, 20).mean(axis=1)
    assert found.exponents[0] == pytest.approx(samples.mean(), rel=1e-10)
    assert found.errors[0] == pytest.approx(samples.std(ddof=1) / 2, rel=1e-10)


def exponent_by_tangents(model, ids, rounds):
    """First exponent of an LSTM from a tangent carried by explicit equations."""
    weights = {name: weight.double().numpy() for name, weight in model.state_dict().items()}
    input_sums = weights["embed.weight"] @ weights["cell.W_ih.weight"].T + weights["cell.W_hh.bias"]  # (V, 4H)
    W, H = weights["cell.W_hh.weight"], model.hidden_dim
    d_h, d_c = np.random.default_rng(1).standard_normal((2, H))
    for _ in range(rounds):
        h, c, log_growth = np.zeros(H), np.zeros(H), 0.0
        for t, id in enumerate(ids):
            z, d_z = (input_sums[id] + W @ h).reshape(4, H), (W @ d_h).reshape(4, H)
            i, f, o = 1 / (1 + np.exp(-z[[0, 1, 3]]))
            g, c_before = np.tanh(z[2]), c
            c, h = f * c + i * g, o * np.tanh(f * c + i * g)
            if not t:
                continue  # the first state has no predecessor
            d_c = f * d_c + f * (1 - f) * d_z[1] * c_before + i * (1 - i) * d_z[0] * g + i * (1 - g**2) * d_z[2]
            d_h = o * (1 - o) * d_z[3] * np.tanh(c) + o * (1 - np.tanh(c) ** 2) * d_c
            size = math.hypot(np.linalg.norm(d_h), np.linalg.norm(d_c))
            d_h, d_c, log_growth = d_h / size, d_c / size, log_growth + math.log(size)
    return log_growth / (len(ids) - 1)


def test_lstm_exponent_matches_tangents():
    lstm = load(CHECKPOINTS / "lstm")
    model, ids = scale_recurrent(lstm.model, 1.4), lstm.vocab.encode(lstm.info.passage[:1025])
    found = lyapunov_exponents(model, ids)
    assert found.stretches * found.stretch == 1024
    assert abs(found.exponents[0] - exponent_by_tangents(model, ids, rounds=3)) < found.errors[0]
    longer = lyapunov_exponents(model, ids, warm_up=2 * found.warm_up)
    assert longer.warm_up == 2 * found.warm_up >= 1024
    assert abs(longer.exponents[0] - found.exponents[0]) < found.errors[0]


def test_curve_tail_matches_first_exponent():
    checkpoint = load(CHECKPOINTS / "rnn")
    ids = checkpoint.vocab.encode(load(CHECKPOINTS / "best").info.passage)
    first = lyapunov_exponents(checkpoint.model, ids)
    slope = tail_slope(gradient_flow(checkpoint.model, ids, positions=256), 32, 128)
    assert abs(slope - first.exponents[0]) <= 2 * first.errors[0]


@every_cell
def test_spectrum_of_each_gate_is_scaled(cell, layer_norm):
    model, _ = recurrent(cell, layer_norm)
    W = model.cell.W_hh.weight.detach().double().numpy()
    gates = {"rnn": "h", "gru": "rzn", "lstm": "ifgo"}[cell]
    halved = spectra(scale_recurrent(model, 0.5))
    for i, (gate, spectrum) in enumerate(zip(gates, spectra(model), strict=True)):
        block = W[6 * i : 6 * i + 6]
        assert spectrum.gate == gate
        assert np.poly(spectrum.eigenvalues) == pytest.approx(np.poly(block), rel=1e-9)
        assert (np.diff(abs(spectrum.eigenvalues)) <= 1e-12).all()
        assert np.allclose(spectrum.singular_values**2, np.linalg.eigvalsh(block.T @ block)[::-1], rtol=1e-6)
        assert spectrum.radius <= spectrum.norm
        assert halved[i].radius == pytest.approx(spectrum.radius / 2, rel=1e-6)
        assert halved[i].norm == pytest.approx(spectrum.norm / 2, rel=1e-6)
        assert spectrum.bounds == (cell == "rnn" and not layer_norm)


@pytest.mark.parametrize(
    ("measure", "reason"),
    [
        (lambda model, ids: step_jacobians(model, ids, torch.tensor([3])), "carries no state"),
        (lambda model, ids: product_norms(model, ids.tolist(), 10), "carries no state"),
        (lambda model, ids: lyapunov_exponents(model, ids.tolist(), stretch=8, warm_up=8), "carries no state"),
        (lambda model, ids: spectra(model), "no recurrent weights"),
    ],
)
def test_transformer_has_no_step_jacobian(measure, reason):
    with pytest.raises(ValueError, match=reason):
        measure(*attentive())


def test_short_text_and_wrong_count_are_refused():
    model, ids = recurrent()
    assert product_norms(model, ids[:12].tolist(), 10).positions == 1
    with pytest.raises(ValueError, match="11 characters.*at least 12"):
        product_norms(model, ids[:11].tolist(), 10)
    assert lyapunov_exponents(model, ids[:31].tolist(), stretch=10, warm_up=8).stretches == 3
    with pytest.raises(ValueError, match="30 characters.*at least 31"):
        lyapunov_exponents(model, ids[:30].tolist(), stretch=10, warm_up=8)
    for count in (0, 7):
        with pytest.raises(ValueError, match="give 1 to 6"):
            lyapunov_exponents(model, ids.tolist(), count=count, stretch=10, warm_up=8)


def test_product_norms_leave_model_unchanged():
    model, ids = recurrent("lstm", layer_norm=True)
    before = copy.deepcopy(model.state_dict())
    product_norms(model, ids.tolist(), 10)
    lyapunov_exponents(model, ids.tolist(), stretch=10, warm_up=8)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
