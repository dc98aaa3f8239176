"""The fast path against autograd through the readable loop, in float64."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.bptt import tanh_slope, vanilla_states
from charrnn.cells import HiddenState
from charrnn.model import CharRNN


def model_and_text(vocab, hidden_dim, batch, steps, seed):
    rng = torch.Generator().manual_seed(seed)
    model = CharRNN(vocab, hidden_dim).double()
    for parameter in model.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=rng, dtype=torch.float64) * 0.7)
    ids = torch.randint(vocab, (batch, steps), generator=rng)
    h0 = torch.rand(batch, hidden_dim, generator=rng, dtype=torch.float64) * 2 - 1
    return model, ids, h0


def relative_difference(ours, reference):
    return (ours - reference).norm() / reference.norm().clamp_min(1e-300)


@settings(max_examples=40)
@given(
    vocab=st.integers(1, 7),
    hidden_dim=st.integers(1, 9),
    batch=st.integers(1, 4),
    steps=st.integers(1, 12),
    seed=st.integers(0, 2**31),
    start=st.sampled_from(["zero", "given", "given and differentiated"]),
)
def test_logits_state_and_every_gradient_equal_autograd_through_the_loop(vocab, hidden_dim, batch, steps, seed, start):
    model, ids, h0 = model_and_text(vocab, hidden_dim, batch, steps, seed)
    h0.requires_grad_(start == "given and differentiated")
    state = None if start == "zero" else HiddenState(h0)
    inputs = [*model.parameters(), *([h0] if h0.requires_grad else [])]
    results = []
    for forward in (model.fast_forward, model.forward):
        logits, last = forward(ids, state)
        loss = F.cross_entropy(logits.flatten(0, 1), ids.roll(-1, 1).flatten()) + last.h.square().sum()
        results.append([logits, last.h, *torch.autograd.grad(loss, inputs)])
    for ours, reference in zip(*results, strict=True):
        assert relative_difference(ours, reference) < 1e-10


@pytest.mark.parametrize("differentiate_h0", [False, True])
@pytest.mark.parametrize("steps", [1, 4])
def test_gradcheck_agrees_by_finite_differences(steps, differentiate_h0):
    rng = torch.Generator().manual_seed(3)
    table, weight, h0 = (
        torch.randn(shape, generator=rng, dtype=torch.float64).requires_grad_(grad)
        for shape, grad in [((3, 4), True), ((4, 4), True), ((2, 4), differentiate_h0)]
    )
    ids = torch.randint(3, (steps, 2), generator=rng)
    assert torch.autograd.gradcheck(lambda *inputs: vanilla_states(inputs[0], ids, *inputs[1:]), (table, weight, h0))


def test_gradients_agree_with_torch_nn():
    model, ids, _ = model_and_text(5, 6, 3, 9, seed=1)
    reference = torch.nn.RNN(6, 6, batch_first=True, dtype=torch.float64)
    weights = {"weight_ih_l0": model.cell.W_ih.weight, "weight_hh_l0": model.cell.W_hh.weight}
    biases = {"bias_ih_l0": torch.zeros(6), "bias_hh_l0": model.cell.W_hh.bias}
    reference.load_state_dict(weights | biases)
    model.states(ids).square().sum().backward()
    reference(model.embed(ids).detach())[0].square().sum().backward()
    assert relative_difference(model.cell.W_hh.weight.grad, reference.weight_hh_l0.grad) < 1e-12
    assert relative_difference(model.cell.W_ih.weight.grad, reference.weight_ih_l0.grad) < 1e-12
    assert relative_difference(model.cell.W_hh.bias.grad, reference.bias_hh_l0.grad) < 1e-12


def test_a_sequence_in_three_pieces_equals_the_whole():
    model, ids, h0 = model_and_text(5, 6, 2, 12, seed=2)
    whole, last = model.fast_forward(ids, HiddenState(h0))
    state, pieces = HiddenState(h0), []
    for piece in ids.split([3, 1, 8], dim=1):
        logits, state = model.fast_forward(piece, state)
        pieces.append(logits)
    assert torch.allclose(torch.cat(pieces, dim=1), whole, rtol=0, atol=1e-13)
    assert torch.equal(state.h, last.h)


def test_in_float32_the_gradients_stay_close_to_autograd():
    rng = torch.Generator().manual_seed(4)
    model, ids = CharRNN(65, 32), torch.randint(65, (8, 64), generator=rng)
    for parameter in model.parameters():
        parameter.data.uniform_(-0.2, 0.2, generator=rng)
    grads = [
        torch.autograd.grad(forward(ids)[0].square().mean(), list(model.parameters()))
        for forward in (model.fast_forward, model.forward)
    ]
    assert max(relative_difference(a, b) for a, b in zip(*grads, strict=True)) < 1e-5


def test_the_slope_of_tanh_is_its_derivative():
    x = torch.linspace(-3, 3, 25, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(torch.tanh(x).sum(), x)
    assert torch.allclose(tanh_slope(torch.tanh(x)), slope, rtol=0, atol=1e-15)
