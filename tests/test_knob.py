"""The knob: what it scales and what it leaves alone."""

import math

import pytest
import torch

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
