"""Where the gradient goes: against autograd through the readable loop, finite differences and a closed form."""

import copy

import pytest
import torch

from charrnn.gradient_flow import input_saliency
from tests.test_gradient_flow import attentive, every_cell, recurrent


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
        for each in x.unbind(1):
            state = exact.cell(each, state)
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
            by_differences = torch.tensor(slopes, dtype=torch.float64).norm().item()
            assert norms[lag, column].item() == pytest.approx(by_differences, rel=1e-6, abs=1e-15), (position, lag)


def test_saliency_positions_are_independent():
    for model, ids in (recurrent("lstm"), attentive(context=8)):
        together = input_saliency(model, ids, torch.arange(39), max_lag=15)
        for position in (0, 1, 15, 16, 17, 38):
            alone = input_saliency(model, ids, torch.tensor([position]), max_lag=15)[:, 0]
            torch.testing.assert_close(together[:, position], alone, rtol=1e-12, atol=1e-15)
