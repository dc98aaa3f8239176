"""Self-checks hold, and detect planted bugs."""

import math
from typing import Any

import pytest
import torch

from charrnn import self_checks
from charrnn.bptt import vanilla
from charrnn.cells import CELLS, LSTMCell, LSTMGates, LSTMState, sigmoid, split_gates, tanh
from charrnn.export import GraphDecoder
from charrnn.registry import build_model
from charrnn.sampling import SamplingSettings
from tests.small_models import SMALL

V = 13
IDS = [(7 * i * i + 3 * i) % V for i in range(60)]


def random_network(name):
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
    network = random_network(name)
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


def update_without_forget_gate(self, from_input, from_state, state):
    i, _, g, o = split_gates(from_input + from_state, 4)
    c = state.c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return LSTMState(h, c), LSTMGates(i, i, g, o)


def test_self_checks_find_bug_in_cell(monkeypatch):
    monkeypatch.setattr(LSTMCell, "update", update_without_forget_gate)
    check = self_checks.cell_matches_torch("lstm")
    assert not check.holds and check.difference > 1e-3
    assert not self_checks.bptt_matches_autograd(random_network("lstm"), IDS).holds  # pyright: ignore[reportArgumentType]
    assert self_checks.cell_matches_torch("gru").holds


def test_self_checks_find_bug_in_backward(monkeypatch):
    """A relative error of 0.001 in each step's gradient."""
    correct = vanilla.step_back

    def wrong(*arguments):
        result = correct(*arguments)
        arguments[-1].h.mul_(1.001)  # d_pre
        return result

    monkeypatch.setattr(vanilla, "step_back", wrong)
    assert not self_checks.cell_matches_torch("rnn").holds
    network: Any = random_network("rnn")
    assert not self_checks.bptt_matches_autograd(network, IDS).holds
    assert self_checks.gradient_matches_finite_difference(network, IDS).holds, "the wrong code is not used"


def test_self_checks_find_bug_in_decoder(monkeypatch):
    correct = GraphDecoder.step
    monkeypatch.setattr(GraphDecoder, "step", lambda self, id, state: correct(self, (id + 1) % V, state))
    network = random_network("gru")
    (notice,) = network.notices()
    assert "cannot be recorded" in notice and "differs by" in notice
    assert self_checks.stepwise_matches_batch(network, IDS).holds, "the wrong code is not used"


def test_self_checks_fail_for_nan_weights():
    network = random_network("gru")
    network.head.bias.data[0] = math.nan  # pyright: ignore[reportOptionalMemberAccess]
    assert not self_checks.stepwise_matches_batch(network, IDS).holds
    assert not self_checks.gradient_matches_finite_difference(network, IDS).holds
    assert self_checks._largest(1.0, math.nan, 2.0) != 2.0
