"""Training and validation losses equal a plain loop over the text."""

import math

import pytest
import torch
import torch.nn.functional as F

from charrnn.registry import build_model
from charrnn.training import evaluate_cold, evaluate_stream, evaluation, loss_nats
from tests.random_weights import randomize

NETWORKS = {
    "rnn": {"cell": "rnn", "hidden_dim": 4},
    "gru": {"cell": "gru", "hidden_dim": 4},
    "lstm with layer norm": {"cell": "lstm", "hidden_dim": 4, "layer_norm": True},
    "minigpt": {"cell": "minigpt", "hidden_dim": 8, "layers": 2, "heads": 2, "context": 10},
}
every_network = pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS.keys())


def network(config, characters=5):
    """A network with weights far from zero, and its generator."""
    rng = torch.Generator().manual_seed(2)
    return randomize(build_model(config, characters), 0.5, rng), rng


@every_network
def test_loss_matches_forward_and_carries_state(config):
    model, rng = network(config)
    ids = torch.randint(5, (3, 15), generator=rng)
    reference = F.cross_entropy(model(ids[:, :-1])[0].flatten(0, 1), ids[:, 1:].flatten())
    assert loss_nats(model, ids[:, :-1], ids[:, 1:])[0].item() == pytest.approx(reference.item(), rel=1e-5)
    first, state = loss_nats(model, ids[:, :6], ids[:, 1:7])
    rest, _ = loss_nats(model, ids[:, 6:-1], ids[:, 7:], state)
    assert ((6 * first + 8 * rest) / 14).item() == pytest.approx(reference.item(), rel=1e-5)


@every_network
@pytest.mark.parametrize(("characters", "streams"), [(1500, 5), (64 * 300, 64)])
def test_stream_loss_matches_one_pass_in_any_chunks(config, characters, streams, monkeypatch):
    model, rng = network(config)
    rows = torch.randint(5, (characters,), generator=rng).view(streams, 300)
    with torch.no_grad():
        logits, _ = model(rows[:, :-1])
    whole = F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).item()
    for chunk in (7, 64, 299, evaluation.CHUNK):
        monkeypatch.setattr(evaluation, "CHUNK", chunk)
        assert evaluate_stream(model, rows.flatten()) == pytest.approx(whole, rel=1e-5)


@every_network
def test_cold_loss_reads_windows_from_zero_state(config, monkeypatch):
    model, rng = network(config)
    ids = torch.randint(5, (900,), generator=rng)
    losses = [F.cross_entropy(model(ids[None, i : i + 256])[0][0], ids[i + 1 : i + 257]).item() for i in (0, 256, 512)]
    for batch in (evaluation.COLD_BATCH, 2):
        monkeypatch.setattr(evaluation, "COLD_BATCH", batch)
        assert evaluate_cold(model, ids) == pytest.approx(sum(losses) / 3, rel=1e-5)


def test_evaluation_protocol_matches_published_figures():
    """111,540 validation characters: 64 streams of 1,742 and 435 windows of 256."""
    assert (evaluation.VAL_STREAMS, evaluation.VAL_WINDOW) == (64, 256)
    ids = torch.arange(111_540)
    assert evaluation.contiguous_streams(ids, 64).shape == (64, 1742)
    assert evaluation.windows_in_order(ids, 256)[0].shape == (435, 256)


@every_network
def test_evaluation_of_short_text_is_finite(config):
    model, rng = network(config)
    ids = torch.randint(5, (9,), generator=rng)
    assert math.isfinite(evaluate_cold(model, ids))
    assert math.isfinite(evaluate_stream(model, ids))
