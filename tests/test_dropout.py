"""Dropout keeps the mean, follows its generator, and is off in evaluation."""

import pytest
import torch
import torch.nn.functional as F

from charrnn.dropout import dropout
from charrnn.model import MASKS, CharRNN
from charrnn.registry import build_model
from charrnn.training import evaluate_cold, evaluate_stream, loss_nats

NETWORKS = [
    {"cell": "rnn", "hidden_dim": 8},
    {"cell": "lstm", "hidden_dim": 8, "layer_norm": True},
    {"cell": "gru", "hidden_dim": 8},
    {"cell": "minigpt", "hidden_dim": 8, "layers": 2, "heads": 2, "context": 6},
]


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def test_dropout_keeps_mean():
    """Bounds are six standard deviations: false alarms have p < 1e-8."""
    n, share = 10**6, 0.3
    y = dropout(torch.ones(n), share, generator())
    assert set(y.unique().tolist()) == {0.0, torch.tensor(1 / 0.7).item()}
    assert (y == 0).float().mean().item() == pytest.approx(share, abs=6 * (share * (1 - share) / n) ** 0.5)
    assert y.mean().item() == pytest.approx(1, abs=6 * (share / (1 - share) / n) ** 0.5)


@pytest.mark.parametrize(("share", "rng"), [(0.0, generator()), (0.5, None)], ids=["no share", "no generator"])
def test_dropout_without_share_or_rng_is_identity(share, rng):
    x, before = torch.randn(5), rng and rng.get_state()
    assert dropout(x, share, rng) is x
    assert before is None or torch.equal(rng.get_state(), before), "nothing is drawn"


@pytest.mark.parametrize("config", NETWORKS, ids=lambda config: config["cell"])
def test_dropout_is_only_active_in_training(config):
    """forward, decoding and evaluation ignore dropout in either mode of torch."""
    dropped, ids = build_model(config, 7, dropout=0.5, input_dropout=0.5), torch.randint(7, (3, 300))
    without = build_model(config, 7)
    without.load_state_dict(dropped.state_dict())
    for mode in (dropped.train(), dropped.eval()):
        assert torch.equal(mode(ids)[0], without(ids)[0])
        assert torch.equal(mode.fast_forward(ids)[0], without.fast_forward(ids)[0])
        for evaluate in (evaluate_stream, evaluate_cold):
            assert evaluate(mode, ids.flatten()) == evaluate(without, ids.flatten())
        decoders = [model.decoder().prefill(ids[0].tolist()).logits.tolist() for model in (mode, without)]
        assert decoders[0] == decoders[1]
    assert not torch.equal(dropped.fast_forward(ids, rng=generator())[0], without.fast_forward(ids)[0])


@pytest.mark.parametrize("config", NETWORKS, ids=lambda config: config["cell"])
def test_dropout_of_networks_repeats_with_generator(config):
    model, ids = build_model(config, 7, dropout=0.5, input_dropout=0.5), torch.randint(7, (3, 20))
    before = torch.get_rng_state()
    once, again, other = (
        loss_nats(model, ids[:, :-1], ids[:, 1:], rng=generator(seed))[0].item() for seed in (1, 1, 2)
    )
    assert once == again != other
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_applies_at_input_and_output_of_cell():
    """Recompute with masked tables, the loop over time and masked states."""
    batch = MASKS + 2  # more windows than masks: the last two share the masks of the first two
    model, ids = CharRNN(7, 8, "lstm", dropout=0.4, input_dropout=0.3).double(), torch.randint(7, (batch, 9))
    rng = generator()
    tables = dropout(model.embed.weight.expand(MASKS, -1, -1), 0.3, rng)
    state, states = model.cell.initial_state(batch), []
    for t in range(9):
        x = torch.stack([tables[b % MASKS][ids[b, t]] for b in range(batch)])
        state = model.cell(x, state)
        states.append(state.h)
    h = dropout(torch.stack(states), 0.4, rng)  # (T, B, H)
    expected = F.cross_entropy(model.head(h).flatten(0, 1), ids.t().flatten())
    loss, last = loss_nats(model, ids, ids, rng=generator())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.allclose(last.c, state.c, rtol=0, atol=1e-12)
