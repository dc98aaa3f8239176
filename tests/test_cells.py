import numpy as np
import torch
from torch import nn

from charrnn.cells import HiddenState, VanillaRNNCell


def test_the_vanilla_cell_agrees_with_torch_nn():
    cell, reference = VanillaRNNCell(3, 5).double(), nn.RNNCell(3, 5).double()
    reference.load_state_dict(
        {
            "weight_ih": cell.W_ih.weight,
            "weight_hh": cell.W_hh.weight,
            "bias_hh": cell.W_hh.bias,
            "bias_ih": torch.zeros(5),
        }
    )
    x, h = torch.randn(4, 3).double(), torch.randn(4, 5).double()
    assert torch.allclose(cell(x, HiddenState(h)).h, reference(x, h), rtol=0, atol=1e-14)


def test_the_vanilla_cell_is_its_formula():
    cell = VanillaRNNCell(2, 2)
    x, h = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.25, 0.75]])
    by_hand = torch.tanh(x @ cell.W_ih.weight.T + h @ cell.W_hh.weight.T + cell.W_hh.bias)
    assert torch.allclose(cell(x, HiddenState(h)).h, by_hand)


def test_the_equations_hold_for_arrays_as_for_tensors():
    cell = VanillaRNNCell(3, 5).double()
    x, h = torch.randn(3).double(), torch.randn(5).double()
    from_input, from_state = cell.W_ih(x).detach(), cell.W_hh(h).detach()
    by_tensors = cell.update(from_input, from_state, HiddenState(h)).h
    by_arrays = cell.update(from_input.numpy(), from_state.numpy(), HiddenState(h.numpy())).h
    assert isinstance(by_arrays, np.ndarray)
    assert np.allclose(by_arrays, by_tensors, rtol=0, atol=1e-15)


def test_the_bias_sits_on_the_recurrent_path_alone():
    assert set(VanillaRNNCell(3, 5).state_dict()) == {"W_ih.weight", "W_hh.weight", "W_hh.bias"}
