"""Context use equals known values of constructed networks, and plain loops."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from charrnn import context_use as context_use_module
from charrnn.analysis_record import AnalysisRecord, RecordError
from charrnn.bootstrap import percentile_interval, resample_counts
from charrnn.context_use import (
    BATCH,
    BEFORE,
    SHUFFLED,
    MemoryUsed,
    context_losses,
    context_use,
    corruption,
    corruption_nats,
    memory_from_record,
    memory_record,
    random_replacements,
    smallest_sufficient_context,
)
from charrnn.model import CharRNN
from charrnn.registry import build_model
from tests.random_weights import randomize
from tests.small_models import SMALL, VOCAB

V, DISTANCE = 5, 7


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn_text(length: int, size: int, seed: int = 1) -> Tensor:
    return torch.randint(size, (length,), generator=generator(seed))


def copies_back(n: int, certainty: float = 20.0) -> CharRNN:
    """Build a shift register of n blocks: the output copies the character n back."""
    model = CharRNN(V, n * V)
    for parameter in model.parameters():
        parameter.data.zero_()
    model.cell.W_ih.weight.data.copy_(torch.eye(n * V))
    model.embed.weight.data[:, :V] = 40 * torch.eye(V)
    model.cell.W_hh.weight.data[V:, :-V] = 40 * torch.eye((n - 1) * V)
    model.head.weight.data[:, -V:] = certainty * torch.eye(V)
    return model


def without_memory() -> CharRNN:
    model = build_model({"cell": "rnn", "hidden_dim": 12}, V)
    assert isinstance(model, CharRNN)
    model.cell.W_hh.weight.data.zero_()
    return model


def small(name: str, seed: int = 3, weights: float = 0.3):
    """A small network with random weights that uses some context."""
    return randomize(build_model(SMALL[name], len(VOCAB)), weights, seed).eval()


@torch.no_grad()
def last_loss(model, ids: Tensor) -> float:
    """Return the loss of the last character after the others."""
    return F.cross_entropy(model(ids[None, :-1])[0][0, -1], ids[-1]).item()


def test_copying_network_has_effective_context_of_seven():
    pattern = torch.tensor([0, 1, 4, 2, 2, 3, 0])
    text = pattern.repeat(120)  # each character repeats the one seven back
    used = context_use(copies_back(DISTANCE), text.tolist(), generator(), longest=20, predictions=256, stretch=128)
    np.testing.assert_allclose(used.loss_nats[: DISTANCE - 1], math.log(V), atol=1e-6)
    certain = -math.log(math.exp(20) / (math.exp(20) + V - 1))
    np.testing.assert_allclose(used.loss_nats[DISTANCE - 1 :], certain, atol=1e-6)
    assert used.ecl_chars == used.ecl_share_chars == used.shuffled_ecl_chars == DISTANCE
    assert used.excess_error.max() < 1e-6 and used.predictions == 256
    assert (used.shuffled_excess_nats[: DISTANCE - 1] > math.log(V)).all(), "certain of a wrong character"


def test_copying_network_feels_replacement_at_seven():
    text = drawn_text(600, V)
    probe = corruption(copies_back(DISTANCE, certainty=3.0), text.tolist(), generator(), lags=20, positions=64)
    p = np.exp([3.0, 0, 0, 0, 0]) / (math.exp(3) + V - 1)
    q = np.roll(p, 1)
    expected = np.where(np.arange(1, 21) == DISTANCE, (p * np.log(p / q)).sum(), 0.0)
    for curve in (probe.median, probe.low, probe.high, probe.mean):
        np.testing.assert_allclose(curve, expected, atol=1e-12)
    assert probe.felt_chars == DISTANCE and probe.positions == 64


def test_memoryless_network_needs_one_character():
    text = drawn_text(900, V).tolist()
    used = context_use(without_memory(), text, generator(), longest=30, predictions=128)
    np.testing.assert_allclose(used.excess_nats, 0, atol=1e-6)
    np.testing.assert_allclose(used.shuffled_excess_nats, 0, atol=1e-6)
    assert used.ecl_chars == used.ecl_share_chars == used.shuffled_ecl_chars == 1
    probe = corruption(without_memory(), text, generator(), lags=10, positions=32)
    assert probe.median[0] > 1e-4 and probe.high[1:].max() < 1e-15 and probe.felt_chars <= 1


def drawn_counts(positions: int, block: int) -> np.ndarray:
    counts = resample_counts(positions, block)
    assert counts is not None
    return counts.astype(int)


def test_intervals_are_those_of_repeated_batches():
    """Resample batches of predictions and blocks of positions, one by one."""
    text, model = drawn_text(1500, len(VOCAB)), small("lstm", weights=1.0)
    used = context_use(model, text.tolist(), generator(), longest=30, predictions=1024, stretch=1024)
    rng, first, count = generator(), 30 + SHUFFLED, 1024
    losses = context_losses(model, text, first, count, 30).reshape(30, 16, 64).mean(2)
    shuffled = context_losses(model, text, first, count, 30, rng).reshape(30, 16, 64).mean(2)
    lengths = []
    for row in drawn_counts(16, 1):
        loss, control = (np.repeat(values, row, axis=1).mean(1) for values in (losses, shuffled))
        levels = (loss, 0.01), (loss, 0.01 * loss[-1]), (control, 0.01)
        lengths.append([smallest_sufficient_context(curve - loss[-1], level) for curve, level in levels])
    found = used.ecl_interval, used.ecl_share_interval, used.shuffled_ecl_interval
    assert found == tuple(percentile_interval(each) for each in np.array(lengths).T)
    assert found[0] and found[0].low < found[0].high

    probe = corruption(model, text.tolist(), generator(), lags=20, positions=201)
    at = torch.linspace(BEFORE, 1480, 201, dtype=torch.float64).round().long()
    nats = corruption_nats(model, text, at, random_replacements(text, text[at], generator()), 20).numpy()
    block = 10  # of 64 characters, 6.8 apart
    felt = [
        smallest_sufficient_context(np.median(np.repeat(nats, row, axis=0), axis=0), 0.01) - 1
        for row in drawn_counts(201, block)
    ]
    assert probe.felt_interval == percentile_interval(np.array(felt))


@pytest.mark.parametrize("name", list(SMALL))
def test_context_losses_match_separate_texts(name: str):
    model, ids = small(name), drawn_text(400, len(VOCAB))
    first, count, longest = 250, 90, 40
    losses = context_losses(model, ids, first, count, longest)
    assert losses.shape == (longest, count) and np.isfinite(losses).all()
    for n in (1, 2, 17, longest):
        for place in (0, 1, 44, count - 1):
            target = first + place
            assert losses[n - 1, place] == pytest.approx(last_loss(model, ids[target - n : target + 1]), abs=2e-5)


@pytest.mark.parametrize("name", ["gru", "minigpt"])
def test_shuffled_control_permutes_prefix(name: str, monkeypatch: pytest.MonkeyPatch):
    model, ids = small(name), drawn_text(400, len(VOCAB))
    seen = {}

    def record(ids: Tensor, starts: Tensor, rng: torch.Generator) -> Tensor:
        prefixes = shuffled_before(ids, starts, rng)
        seen.update(zip(starts.tolist(), prefixes, strict=True))
        return prefixes

    shuffled_before = context_use_module._shuffled_before
    monkeypatch.setattr(context_use_module, "_shuffled_before", record)
    losses = context_losses(model, ids, 250, 20, 30, generator())
    for n, place in ((1, 0), (5, 19), (30, 7)):
        target = 250 + place
        start = target - n
        assert sorted(seen[start].tolist()) == sorted(ids[start - SHUFFLED : start].tolist())
        expected = last_loss(model, torch.cat([seen[start], ids[start : target + 1]]))
        assert losses[n - 1, place] == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("name", list(SMALL))
def test_corruption_matches_two_texts(name: str):
    model, ids = small(name), drawn_text(420, len(VOCAB))
    places, lags = torch.tensor([BEFORE, 200, 399]), 21
    replaced = random_replacements(ids, ids[places], generator())
    assert (replaced != ids[places]).all()
    nats = corruption_nats(model, ids, places, replaced, lags)
    exact = small(name).double()
    for row, place in enumerate(places.tolist()):
        for k in (1, 2, 9, lags):
            original = ids[place - BEFORE : place + k]
            changed = original.clone()
            changed[BEFORE] = replaced[row]
            with torch.no_grad():
                p, q = (exact(text[None])[0][0, -1].softmax(-1).tolist() for text in (original, changed))
            expected = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
            assert nats[row, k - 1].item() == pytest.approx(expected, abs=1e-11)


def test_context_error_is_that_of_batch_means():
    values = np.random.default_rng(0).normal(size=(3, 5 * BATCH))
    mean, error = context_use_module._mean_and_error(values)
    for row in range(3):
        means = [values[row, i * BATCH : (i + 1) * BATCH].mean() for i in range(5)]
        assert mean[row] == pytest.approx(values[row].mean())
        assert error[row] == pytest.approx(np.std(means, ddof=1) / math.sqrt(5))


@pytest.mark.parametrize(
    ("values", "level", "chars"),
    [([3, 2, 0.02, 0.01, 0], 0.01, 4), ([0, 0], 0.01, 1), ([1, 0, 0.5, 0], 0.1, 4), ([1, 1], 0.1, 3)],
)
def test_sufficient_context_stays_sufficient(values, level, chars):
    assert smallest_sufficient_context(np.array(values), level) == chars


def test_replacements_are_drawn_by_frequency():
    ids = torch.tensor([0] * 600 + [1] * 300 + [2] * 100)
    drawn = random_replacements(ids, torch.zeros(4000, dtype=torch.long), generator())
    counts = drawn.bincount(minlength=3).tolist()
    assert counts[0] == 0 and counts[1] / 4000 == pytest.approx(0.75, abs=0.03)
    with pytest.raises(ValueError, match="repeats one character"):
        random_replacements(torch.zeros(9, dtype=torch.long), torch.zeros(1, dtype=torch.long), generator())


def test_context_use_of_short_text_is_refused():
    model = without_memory()
    text = drawn_text(10 + SHUFFLED + BATCH, V).tolist()
    assert context_use(model, text, generator(), longest=10).predictions == BATCH
    with pytest.raises(ValueError, match=f"give {10 + SHUFFLED + BATCH} or more"):
        context_use(model, text[1:], generator(), longest=10)
    assert corruption(model, text[: BEFORE + 5], generator(), lags=5).positions == 1
    with pytest.raises(ValueError, match=f"give {BEFORE + 5} or more"):
        corruption(model, text[: BEFORE + 4], generator(), lags=5)


def test_memory_record_round_trip():
    text, model = drawn_text(1500, len(VOCAB)).tolist(), small("gru")
    use = context_use(model, text, generator(), 64, 1024, 64)
    used = MemoryUsed(use, corruption(model, text, generator(), lags=64, positions=200))
    assert use.ecl_interval and use.ecl_share_interval and use.shuffled_ecl_interval and used.corruption.felt_interval
    stored = json.loads(memory_record(used).as_json())
    restored = memory_from_record(AnalysisRecord.from_json(stored))
    for before, after in ((used.context, restored.context), (used.corruption, restored.corruption)):
        for name, value in vars(before).items():
            np.testing.assert_allclose(getattr(after, name), value, rtol=1e-5, atol=1e-12)  # intervals too
    assert stored["facts"]["ecl_chars"] == used.context.ecl_chars == restored.context.ecl_chars
    before_intervals = {name: value for name, value in stored["facts"].items() if not name.endswith(("_low", "_high"))}
    old = memory_from_record(AnalysisRecord.from_json(stored | {"facts": before_intervals}))
    assert old.context.ecl_interval is None and old.corruption.felt_interval is None
    for table in stored["tables"]:
        short = {
            name: dict.fromkeys(columns, [0.5] * (63 if name == table else 64))
            for name, columns in stored["tables"].items()
        }
        with pytest.raises(RecordError, match=f"{table} has 63 rows: 64 to 8192 are needed"):
            memory_from_record(AnalysisRecord.from_json(stored | {"tables": short}))
    stored["tables"]["context"]["excess_error"][3] = -1
    with pytest.raises(RecordError, match="excess_error is -1"):
        memory_from_record(AnalysisRecord.from_json(stored))
    with pytest.raises(RecordError, match="no column loss_nats"):
        memory_from_record(AnalysisRecord())
