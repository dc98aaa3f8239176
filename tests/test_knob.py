"""The knob: what it scales and what it leaves alone."""

import math

import pytest
import torch

from charrnn.cells import split_gates
from charrnn.gradient_flow import scale_recurrent
from charrnn.minigpt import MiniGPT
from charrnn.model import CharRNN
from tests.test_gradient_flow import every_cell, recurrent


@every_cell
def test_recurrent_scale_changes_recurrent_weights_only(cell, layer_norm):
    model, _ = recurrent(cell, layer_norm)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    turned = scale_recurrent(model, 1.4)
    for name, weight in turned.state_dict().items():
        expected = before[name] * 1.4 if name == "cell.W_hh.weight" else before[name]
        assert torch.equal(weight, expected), name
        assert torch.equal(model.state_dict()[name], before[name]), name


def test_recurrent_scale_of_gru_matches_equation():
    """The GRU written out: g reaches r, z and n through W_hh h, not through b."""
    model, ids = recurrent("gru")
    turned, g = scale_recurrent(model, 0.7), 0.7
    x, h = model.embed(ids[:2]), torch.tanh(torch.arange(12.0).view(2, 6) - 5)
    W_hh, b = model.cell.W_hh.weight, model.cell.W_hh.bias
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (
        split_gates(x @ model.cell.W_ih.weight.t(), 3),
        split_gates(g * (h @ W_hh.t()) + b, 3),
    )
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    expected = (1 - z) * torch.tanh(x_n + r * h_n) + z * h
    state = model.cell.initial_state(2)._replace(h=h)
    assert torch.allclose(turned.cell(x, state).h, expected, atol=1e-6)
    assert not torch.allclose(model.cell(x, state).h, expected, atol=1e-2)


def test_recurrent_scale_one_is_independent_copy():
    model, ids = recurrent()
    same = scale_recurrent(model, 1.0)
    assert torch.equal(same(ids[None])[0], model(ids[None])[0])
    with torch.no_grad():
        same.head.weight.zero_()
    assert model.head.weight.abs().max() > 0


def test_recurrent_scale_of_transformer_is_refused():
    with pytest.raises(ValueError, match="no recurrent weights W_hh"):
        scale_recurrent(MiniGPT(5, hidden_dim=8, layers=1, heads=2, context=4), 1.2)


@pytest.mark.parametrize("g", [0.0, -1.0, math.nan, math.inf])
def test_recurrent_scale_must_be_positive(g):
    with pytest.raises(ValueError, match="positive number"):
        scale_recurrent(CharRNN(5, 4), g)
