"""The hand-written pass equals torch.nn and autograd through the cell."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from charrnn.bptt import through_time, unroll
from charrnn.cells import CELLS
from charrnn.matrix_products import MIN_ROWS

V, B, T, H = 7, 3, 9, 5
REFERENCE = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
EVERY = [(kind, layer_norm) for kind in CELLS for layer_norm in (False, True)]
every_cell = pytest.mark.parametrize(("kind", "layer_norm"), EVERY)


def problem(kind, layer_norm, seed=0, sizes=(V, B, T, H)):
    """A cell, an embedding, ids (T, B) and an initial state, all in float64."""
    rng = torch.Generator().manual_seed(seed)
    vocab, batch, steps, hidden = sizes

    def random(*shape):
        return (torch.randn(*shape, generator=rng, dtype=torch.float64) * 0.7).requires_grad_()

    cell = CELLS[kind](hidden, hidden, layer_norm).double()
    for parameter in cell.parameters():
        parameter.data.copy_(random(*parameter.shape).detach())
    state = type(cell.initial_state(batch))(*(random(batch, hidden) for _ in cell.initial_state(batch)))
    return cell, random(vocab, hidden), torch.randint(vocab, (steps, batch), generator=rng), state


def fast_pass(cell, embed, ids, state):
    return through_time(cell, cell.W_ih(embed), ids, state)


def cell_loop(cell, embed, ids, state):
    states = []
    for step in ids:
        state = cell(embed[step], state)
        states.append(state.h)
    return torch.stack(states), state


def loss_of(h, last):
    """Return a loss with a different weight for every number."""
    weights = torch.linspace(-1, 1, h.numel(), dtype=h.dtype).view_as(h)
    return (h * weights).sum() + sum((part**2).sum() for part in last)


def gradients(h, last, parameters):
    return torch.autograd.grad(loss_of(h, last), parameters)


def assert_same(found, expected, atol=1e-10):
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, rtol=0, atol=atol)


@pytest.mark.parametrize("kind", CELLS)
def test_fast_pass_matches_torch_nn(kind):
    cell, embed, ids, state = problem(kind, False)
    module = REFERENCE[kind](H, H).double()
    names = {"weight_ih_l0": cell.W_ih.weight, "weight_hh_l0": cell.W_hh.weight, "bias_hh_l0": cell.W_hh.bias}
    module.load_state_dict({"bias_ih_l0": torch.zeros_like(cell.W_hh.bias)} | names)
    given_state = tuple(part[None] for part in state)
    h_nn, last_nn = module(F.embedding(ids, embed), given_state if kind == "lstm" else given_state[0])
    last_nn = [part[0] for part in (last_nn if kind == "lstm" else (last_nn,))]
    h, last = fast_pass(cell, embed, ids, state)
    assert_same([h, *last], [h_nn, *last_nn])
    ours = gradients(h, last, [*names.values(), embed, *state])
    assert_same(ours, gradients(h_nn, last_nn, [*(getattr(module, name) for name in names), embed, *state]))


@every_cell
def test_pieces_match_whole_sequence(kind, layer_norm):
    cell, embed, ids, state = problem(kind, layer_norm)
    parameters = [*cell.parameters(), embed, *state]
    whole, last = fast_pass(cell, embed, ids, state)
    pieces, carried = [], state
    for piece in ids.split((2, 3, 4)):
        h, carried = fast_pass(cell, embed, piece, carried)
        pieces.append(h)
    assert_same([torch.cat(pieces), *carried], [whole, *last])
    assert_same(gradients(torch.cat(pieces), carried, parameters), gradients(whole, last, parameters))


@settings(max_examples=30)
@given(
    which=st.sampled_from(EVERY),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
    seed=st.integers(0, 99),
)
def test_fast_pass_matches_cell_at_any_size(which, sizes, seed):
    cell, embed, ids, state = problem(*which, seed=seed, sizes=sizes)
    parameters = [*cell.parameters(), embed, *state]
    (h, last), (h_loop, last_loop) = fast_pass(cell, embed, ids, state), cell_loop(cell, embed, ids, state)
    assert_same([h, *last], [h_loop, *last_loop], atol=1e-9)
    assert_same(gradients(h, last, parameters), gradients(h_loop, last_loop, parameters), atol=1e-8)


@every_cell
def test_float32_stays_close_to_float64(kind, layer_norm):
    """Enough rows for oneDNN, and small weights: chaos would amplify rounding errors."""
    cell, embed, ids, state = problem(kind, layer_norm, sizes=(20, MIN_ROWS, 60, 32))
    for weight in cell.W_ih.weight, cell.W_hh.weight:
        weight.data.mul_(0.2)
    found = []
    for dtype in (torch.float64, torch.float32):
        cell = cell.to(dtype)
        inputs = [part.detach().to(dtype).requires_grad_() for part in (embed, *state)]
        h, last = fast_pass(cell, inputs[0], ids, type(state)(*inputs[1:]))
        found.append([h, *last, *gradients(h, last, [*cell.parameters(), *inputs])])
    for exact, single in zip(*found, strict=True):
        assert (single.double() - exact).norm() <= 1e-5 * exact.norm()


@every_cell
def test_recurrent_weights_can_be_replaced(kind, layer_norm):
    cell, embed, ids, state = problem(kind, layer_norm)
    halved = through_time(cell, cell.W_ih(embed), ids, state, cell.W_hh.weight * 0.5)[0]
    cell.W_hh.weight.data.mul_(0.5)
    assert_same([halved], [fast_pass(cell, embed, ids, state)[0]])


@every_cell
def test_second_derivative_is_refused(kind, layer_norm):
    cell, embed, ids, state = problem(kind, layer_norm)
    h, _ = fast_pass(cell, embed, ids, state)
    (first,) = torch.autograd.grad((h**2).sum(), embed, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable|does not require grad|not have been used"):
        torch.autograd.grad(first.sum(), embed)


@every_cell
def test_retained_graph_gives_same_gradients(kind, layer_norm):
    cell, embed, ids, state = problem(kind, layer_norm)
    loss = (fast_pass(cell, embed, ids, state)[0] ** 2).sum()
    parameters = [*cell.parameters(), embed, *state]
    first = torch.autograd.grad(loss, parameters, retain_graph=True)
    assert_same(first, torch.autograd.grad(loss, parameters), atol=0)


@every_cell
def test_gradients_are_only_computed_where_required(kind, layer_norm):
    cell, embed, ids, state = problem(kind, layer_norm)
    h, last = fast_pass(cell, embed, ids, state)
    (expected,) = gradients(h, last, [cell.W_hh.bias])
    cell.requires_grad_(False)
    cell.W_hh.bias.requires_grad_()
    begin = type(state)(*(part.detach() for part in state))
    loss_of(*fast_pass(cell, embed.detach(), ids, begin)).backward()
    assert [name for name, weight in cell.named_parameters() if weight.grad is not None] == ["W_hh.bias"]
    assert all(part.grad is None for part in begin)
    assert_same([cell.W_hh.bias.grad], [expected])


@pytest.mark.parametrize("kind", CELLS)
def test_states_changed_in_place_are_refused(kind):
    h, _ = fast_pass(*problem(kind, False))
    loss = h.sum()
    with torch.no_grad():
        h.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@every_cell
def test_no_grad_keeps_no_activations(kind, layer_norm, monkeypatch):
    cell, embed, ids, state = problem(kind, layer_norm)
    results, forward = [], unroll.forward
    monkeypatch.setattr(unroll, "forward", lambda *inputs: results.append(forward(*inputs)) or results[-1])
    with torch.no_grad():
        h, last = fast_pass(cell, embed, ids, state)
    expected, expected_last = fast_pass(cell, embed, ids, state)
    assert [len(segments) > 0 for _, _, segments in results] == [False, True]
    assert not h.requires_grad
    assert_same([h, *last], [expected, *expected_last])
