"""Estimates stay the same with twice the effort."""

import numpy as np
import pytest
import torch
from torch import Tensor

from charrnn import context_use
from charrnn.checkpoint import Checkpoint, load
from charrnn.context_use import (
    NEGLIGIBLE_NATS,
    context_losses,
    corruption_nats,
    random_replacements,
    smallest_sufficient_context,
)
from charrnn.gradient_flow import jacobian_products, norms_by_lag, scale_recurrent
from charrnn.gradient_flow.gradient_norms import spread_positions
from charrnn.gradient_flow.step_jacobian import Steps
from charrnn.paths import CHECKPOINTS


def read(name: str) -> tuple[Checkpoint, Tensor]:
    """Load a bundled network and its sample text."""
    trained = load(CHECKPOINTS / name)
    return trained, torch.tensor(trained.vocab.encode(trained.info.passage))


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_replacement_warm_up_is_long_enough(name, monkeypatch):
    trained, ids = read(name)
    places = torch.arange(300, 5900, 350)
    replacements, medians = random_replacements(ids, ids[places], torch.Generator().manual_seed(0)), []
    for characters in (context_use.BEFORE, 2 * context_use.BEFORE):
        monkeypatch.setattr(context_use, "BEFORE", characters)
        medians.append(np.median(corruption_nats(trained.model, ids, places, replacements, 32).numpy(), axis=0))
    np.testing.assert_allclose(*medians, rtol=0.02)
    once, twice = (smallest_sufficient_context(median, NEGLIGIBLE_NATS) for median in medians)
    assert once == twice


def test_effective_context_is_independent_of_longest():
    trained, ids = read("rnn")
    once, twice = (context_losses(trained.model, ids, 700, 256, longest).mean(axis=1) for longest in (64, 128))
    np.testing.assert_allclose(twice[:64], once, atol=1e-5)
    assert abs(once[-1] - twice[-1]) < 0.1 * NEGLIGIBLE_NATS
    assert (
        smallest_sufficient_context(once - once[-1], NEGLIGIBLE_NATS)
        == smallest_sufficient_context(twice - twice[-1], NEGLIGIBLE_NATS)
        < 64
    )


@pytest.mark.parametrize(("name", "g"), [("rnn", 1.0), ("gru", 1.4)])
def test_product_norms_are_within_tolerance(name, g, monkeypatch):
    trained, ids = read(name)
    steps, lags = Steps(scale_recurrent(trained.model, g), ids[:1500]), [1, 8, 32]
    positions = spread_positions(ids[:1500].tolist(), 128, 6)
    found = jacobian_products.largest_singular_values(steps, positions, lags)
    monkeypatch.setattr(jacobian_products, "MAX_ITERATIONS", 2 * jacobian_products.MAX_ITERATIONS)
    closer = jacobian_products.largest_singular_values(steps, positions, lags, tolerance=1e-6)
    np.testing.assert_allclose(found, closer, rtol=2e-3)


@pytest.mark.parametrize("g", [1.0, 0.5])
def test_distant_gradient_matches_longdouble(g):
    trained, ids = read("rnn")
    model, positions = scale_recurrent(trained.model, g), torch.tensor([140, 201, 262])
    found = norms_by_lag(model, ids[:264], positions, 128).numpy()
    w = {name: weight.double().numpy().astype(np.longdouble) for name, weight in model.state_dict().items()}
    from_x, W, h = w["embed.weight"] @ w["cell.W_ih.weight"].T + w["cell.W_hh.bias"], w["cell.W_hh.weight"], [0]
    for id in ids[:263].tolist():
        h.append(np.tanh(from_x[id] + (W * h[-1]).sum(axis=1)))
    for column, position in enumerate(positions.tolist()):
        p = np.exp(w["head.weight"] @ h[position + 1] + w["head.bias"])
        p = p / p.sum()
        p[ids[position + 1]] -= 1
        d = p @ w["head.weight"]
        for lag in range(129):
            assert found[lag, column] == pytest.approx(float(np.sqrt((d * d).sum())), rel=1e-9)
            d = (d * (1 - h[position + 1 - lag]) * (1 + h[position + 1 - lag])) @ W
    assert found[128].max() < 1e-18, "far below the precision of a float64 near 1"
