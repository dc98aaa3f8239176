"""CharRNN: parameters, forward pass and decoder."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from charrnn.model import CharRNN

KEYS = ["embed.weight", "cell.W_ih.weight", "cell.W_hh.weight", "cell.W_hh.bias", "head.weight", "head.bias"]
CELLS = [(cell, layer_norm) for cell in ("rnn", "gru", "lstm") for layer_norm in (False, True)]
every_cell = pytest.mark.parametrize(("cell", "layer_norm"), CELLS)


def random_model(cell="rnn", layer_norm=False, seed=0):
    """A small model with nontrivial layer norms."""
    rng = torch.Generator().manual_seed(seed)
    model = CharRNN(7, 5, cell, layer_norm)
    for parameter in model.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=rng) * 0.7)
    return model


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_state_dict_is_that_of_lab_sheet(cell, gates):
    model = CharRNN(7, 5, cell)
    assert list(model.state_dict()) == KEYS
    assert model.cell.W_ih.weight.shape == model.cell.W_hh.weight.shape == (gates * 5, 5)
    assert model.cell.W_hh.bias.shape == (gates * 5,)


@pytest.mark.parametrize(("cell", "normed"), [("rnn", "h"), ("gru", "rzn"), ("lstm", "ifgoc")])
def test_layer_norm_parameters_are_named_by_gate(cell, normed):
    model = CharRNN(7, 5, cell, layer_norm=True)
    added = {f"cell.norm.{name}.{part}" for name in normed for part in ("weight", "bias")}
    assert set(model.state_dict()) == {*KEYS, *added}


def test_unknown_cell_is_refused():
    with pytest.raises(ValueError, match="'minigru': give one of rnn, gru, lstm"):
        CharRNN(7, 5, "minigru")


def test_forward_matches_loop_of_lab_sheet():
    model = CharRNN(7, 5).double()
    ids = torch.randint(7, (2, 6))
    h, logits = torch.zeros(2, 5, dtype=torch.float64), []
    for t in range(6):
        e = F.embedding(ids[:, t], model.embed.weight)
        h = torch.tanh(F.linear(e, model.cell.W_ih.weight) + F.linear(h, model.cell.W_hh.weight, model.cell.W_hh.bias))
        logits.append(F.linear(h, model.head.weight, model.head.bias))
    assert torch.allclose(model(ids)[0], torch.stack(logits, 1), rtol=0, atol=1e-14)


@every_cell
def test_decoder_matches_forward(cell, layer_norm):
    model, ids = random_model(cell, layer_norm), torch.randint(7, (1, 9))
    logits, state = model(ids)
    output = model.decoder().prefill(ids[0].tolist())
    assert np.allclose(output.logits, logits[0, -1].detach(), atol=1e-5)
    for ours, theirs in zip(output.state.arrays, state, strict=True):
        assert np.allclose(ours, theirs[0].detach(), atol=1e-5)


@every_cell
def test_stepping_matches_prefill(cell, layer_norm):
    decoder, ids = random_model(cell, layer_norm).decoder(), [3, 1, 6, 0]
    stepped = decoder.prefill(ids[:1])
    for id in ids[1:]:
        stepped = decoder.step(id, stepped.state)
    for whole in (decoder.prefill(ids), decoder.prefill(ids[2:], decoder.prefill(ids[:2]).state)):
        assert np.array_equal(stepped.logits, whole.logits)
        assert all(np.array_equal(a, b) for a, b in zip(stepped.state.arrays, whole.state.arrays, strict=True))


@every_cell
def test_decoder_state_is_not_modified(cell, layer_norm):
    decoder = random_model(cell, layer_norm).decoder()
    output = decoder.prefill([3, 1])
    before = [part.copy() for part in output.state.arrays]
    first = decoder.step(4, output.state)
    decoder.step(5, output.state)
    assert np.array_equal(first.logits, decoder.step(4, output.state).logits)
    assert all(np.array_equal(a, b) for a, b in zip(output.state.arrays, before, strict=True))


@every_cell
def test_decoder_activations_are_state_and_gates(cell, layer_norm):
    model = random_model(cell, layer_norm)
    shown = model.decoder().prefill([3, 1, 6]).activations
    with torch.no_grad():
        before = model(torch.tensor([[3, 1]]))[1]
        sums = model.cell.W_ih(model.embed.weight[6])[None], model.cell.W_hh(before.h)
        state, gates = model.cell.update(*sums, before)
    expected = state._asdict() | gates._asdict()
    assert list(shown) == list(expected) == list({"rnn": "h", "gru": "hrzn", "lstm": "hcifgo"}[cell])
    for name, rows in shown.items():
        assert rows.shape == (5,)
        assert np.allclose(rows, expected[name][0], atol=1e-5)
        if name != "c":
            assert (-1 <= rows).all() and (rows <= 1).all()
        if name in "ifo" + "rz":
            assert (rows >= 0).all()


def test_empty_prefill_is_initial_state():
    model = CharRNN(7, 5)
    output = model.decoder().prefill([])
    assert np.allclose(output.logits, model.head(torch.zeros(5)).detach(), atol=1e-6)
