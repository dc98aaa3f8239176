"""Self-checks hold, and detect planted bugs."""

import math
from typing import Any

import pytest
import torch

from charrnn import self_checks
from charrnn.bptt import vanilla
from charrnn.cells import CELLS, GRUCell, LSTMCell, LSTMGates, LSTMState, VanillaRNNCell, sigmoid, split_gates, tanh
from charrnn.export import GraphDecoder
from charrnn.registry import build_model
from charrnn.sampling import SamplingSettings
from tests.small_models import SMALL

V = 13
IDS = [(7 * i * i + 3 * i) % V for i in range(60)]


def network_of(name):
    rng = torch.Generator().manual_seed(1)
    network = build_model(SMALL[name], V)
    for parameter in network.parameters():
        parameter.data.copy_(0.3 * torch.randn(parameter.shape, generator=rng))
    return network


@pytest.mark.parametrize("kind", CELLS)
def test_cells_match_torch(kind):
    check = self_checks.cell_matches_torch(kind)
    assert check.holds and 0 < check.difference < 1e-13


@pytest.mark.parametrize("name", SMALL)
def test_self_checks_hold_for_every_network(name):
    network = network_of(name)
    weights = {key: weight.clone() for key, weight in network.state_dict().items()}
    checks = [
        self_checks.gradient_matches_finite_difference(network, IDS),
        self_checks.stepwise_matches_batch(network, IDS),
    ]
    if name != "minigpt":
        checks.append(self_checks.bptt_matches_autograd(network, IDS))  # pyright: ignore[reportArgumentType]
    assert [check.claim for check in checks if not check.holds] == []
    assert all(torch.equal(weight, weights[key]) for key, weight in network.state_dict().items())
    steps, sample = self_checks.sample_twice(network, IDS[:4], 50, SamplingSettings(0.8, top_k=9), 3)
    assert steps == sample and len(steps) == 50


def forgets_nothing(self, from_input, from_state, state):
    i, _, g, o = split_gates(from_input + from_state, 4)
    c = state.c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return LSTMState(h, c), LSTMGates(i, i, g, o)


def test_self_checks_find_bug_in_cell(monkeypatch):
    monkeypatch.setattr(LSTMCell, "update", forgets_nothing)
    check = self_checks.cell_matches_torch("lstm")
    assert not check.holds and check.difference > 1e-3
    assert not self_checks.bptt_matches_autograd(network_of("lstm"), IDS).holds  # pyright: ignore[reportArgumentType]
    assert self_checks.cell_matches_torch("gru").holds


def test_self_checks_find_bug_in_backward(monkeypatch):
    """A relative error of 0.001 in each step's gradient."""
    right = vanilla.step_back

    def wrong(saved, d_state, d_h_above, norms, d_pre):
        before = right(saved, d_state, d_h_above, norms, d_pre)
        d_pre.h.mul_(1.001)
        return before

    monkeypatch.setattr(vanilla, "step_back", wrong)
    assert not self_checks.cell_matches_torch("rnn").holds
    network: Any = network_of("rnn")
    assert not self_checks.bptt_matches_autograd(network, IDS).holds
    assert self_checks.gradient_matches_finite_difference(network, IDS).holds, "what is wrong is not used"


def test_self_checks_find_bug_in_decoder(monkeypatch):
    right = GraphDecoder.step
    monkeypatch.setattr(GraphDecoder, "step", lambda self, id, state: right(self, (id + 1) % V, state))
    network = network_of("gru")
    (said,) = network.notices()
    assert "cannot be recorded" in said and "differs by" in said
    assert self_checks.stepwise_matches_batch(network, IDS).holds, "what is wrong is not used"


def test_self_checks_fail_for_nan_weights():
    network = network_of("gru")
    network.head.bias.data[0] = math.nan  # pyright: ignore[reportOptionalMemberAccess]
    assert not self_checks.stepwise_matches_batch(network, IDS).holds
    assert not self_checks.gradient_matches_finite_difference(network, IDS).holds
    assert self_checks._largest(1.0, math.nan, 2.0) != 2.0
    assert {VanillaRNNCell, GRUCell, LSTMCell} == set(CELLS.values())
