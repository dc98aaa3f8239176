import warnings

import numpy as np
import pytest
import torch
from torch import nn

from charrnn.cells import CELLS, GRUCell, HiddenState, LSTMCell, LSTMState, VanillaRNNCell, sigmoid

EVERY = [(kind, layer_norm) for kind in CELLS for layer_norm in (False, True)]


def random_step(kind, layer_norm):
    """A cell in float64, an input and a state without a batch, and the two sums."""
    cell = CELLS[kind](3, 5, layer_norm).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    state = type(cell.initial_state())(*(torch.randn(5).double() for _ in cell.initial_state()))
    x = torch.randn(3).double()
    return cell, x, state, cell.W_ih(x).detach(), cell.W_hh(state.h).detach()


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


@pytest.mark.parametrize(("kind", "reference"), [("lstm", nn.LSTMCell), ("gru", nn.GRUCell)])
def test_a_gated_cell_agrees_with_torch_nn(kind, reference):
    cell, theirs = CELLS[kind](3, 5).double(), reference(3, 5).double()
    bias = {"bias_hh": cell.W_hh.bias, "bias_ih": torch.zeros_like(cell.W_hh.bias)}
    theirs.load_state_dict({"weight_ih": cell.W_ih.weight, "weight_hh": cell.W_hh.weight} | bias)
    x = torch.randn(4, 3).double()
    state = type(cell.initial_state(4))(*(torch.randn(4, 5).double() for _ in cell.initial_state(4)))
    found = theirs(x, tuple(state) if kind == "lstm" else state.h)
    for ours, expected in zip(cell(x, state), found if kind == "lstm" else (found,), strict=True):
        assert torch.allclose(ours, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("kind", "layer_norm"), EVERY)
def test_the_equations_hold_for_arrays_as_for_tensors(kind, layer_norm):
    cell, _, state, from_input, from_state = random_step(kind, layer_norm)
    by_tensors = cell.update(from_input, from_state, state)
    arrays = type(state)(*(part.numpy() for part in state))
    by_arrays = cell.update(from_input.numpy(), from_state.numpy(), arrays)
    for ours, expected in zip([*by_arrays[0], *by_arrays[1]], [*by_tensors[0], *by_tensors[1]], strict=True):
        assert isinstance(ours, np.ndarray)
        assert np.allclose(ours, expected.detach(), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("kind", "layer_norm"), EVERY)
def test_gates_stay_in_their_ranges(kind, layer_norm):
    cell, _, state, from_input, from_state = random_step(kind, layer_norm)
    new, gates = cell.update(10 * from_input, 10 * from_state, state)
    for name, gate in gates._asdict().items():
        assert gate.abs().max() <= 1
        assert name in "gn" or gate.min() >= 0
    assert kind == "gru" or new.h.abs().max() <= 1


def test_an_open_forget_gate_and_a_closed_input_gate_keep_the_cell_state():
    cell, state = LSTMCell(3, 5), LSTMState(torch.randn(5), torch.randn(5))
    i, f = torch.full((5,), -1e4), torch.full((5,), 1e4)
    new, _ = cell.update(torch.cat([i, f, torch.randn(10)]), torch.zeros(20), state)
    assert torch.equal(new.c, state.c)


def test_an_open_update_gate_keeps_the_hidden_state_and_a_closed_one_forgets_it():
    cell, state = GRUCell(3, 5), HiddenState(torch.randn(5))
    for z, kept in ((1e4, True), (-1e4, False)):
        sums = torch.cat([torch.zeros(5), torch.full((5,), z), torch.zeros(5)])
        new, gates = cell.update(sums, torch.zeros(15), state)
        assert torch.equal(new.h, state.h if kept else gates.n)


def test_the_reset_gate_comes_after_the_matrix_product():
    """PyTorch's convention: n = tanh(W_in x + r (W_hn h + b)), the bias behind the gate too."""
    cell, state = GRUCell(3, 2), HiddenState(torch.zeros(2))
    closed = torch.cat([torch.full((2,), -1e4), torch.zeros(4)])
    _, gates = cell.update(closed, torch.tensor([0.0, 0.0, 0.0, 0.0, 7.0, 7.0]), state)
    assert torch.equal(gates.n, torch.zeros(2))


def test_the_sigmoid_of_an_array_is_quiet_and_right_at_the_extremes():
    x = np.array([-1e30, -800.0, -1.0, 0.0, 1.0, 800.0, 1e30])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.allclose(sigmoid(x), torch.sigmoid(torch.from_numpy(x)), rtol=0, atol=1e-15)


def test_the_bias_sits_on_the_recurrent_path_alone():
    assert set(VanillaRNNCell(3, 5).state_dict()) == {"W_ih.weight", "W_hh.weight", "W_hh.bias"}
