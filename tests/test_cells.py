import warnings

import numpy as np
import pytest
import torch
from torch import nn

from charrnn.cells import CELLS, sigmoid

EVERY = [(kind, layer_norm) for kind in CELLS for layer_norm in (False, True)]


def random_step(kind, layer_norm):
    """A cell in float64, an input and a state without a batch, and the two sums."""
    cell = CELLS[kind](3, 5, layer_norm).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    state = type(cell.initial_state())(*(torch.randn(5).double() for _ in cell.initial_state()))
    x = torch.randn(3).double()
    return cell, x, state, cell.W_ih(x).detach(), cell.W_hh(state.h).detach()


@pytest.mark.parametrize(("kind", "layer_norm"), EVERY)
def test_cell_equations_accept_arrays_and_tensors(kind, layer_norm):
    cell, _, state, from_input, from_state = random_step(kind, layer_norm)
    by_tensors = cell.update(from_input, from_state, state)
    arrays = type(state)(*(part.numpy() for part in state))
    by_arrays = cell.update(from_input.numpy(), from_state.numpy(), arrays)
    for ours, expected in zip([*by_arrays[0], *by_arrays[1]], [*by_tensors[0], *by_tensors[1]], strict=True):
        assert isinstance(ours, np.ndarray)
        assert np.allclose(ours, expected.detach(), rtol=0, atol=1e-14)


def test_sigmoid_of_array_is_exact_at_extremes():
    x = np.array([-1e30, -800.0, -1.0, 0.0, 1.0, 800.0, 1e30])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.allclose(sigmoid(x), torch.sigmoid(torch.from_numpy(x)), rtol=0, atol=1e-15)
