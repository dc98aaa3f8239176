"""The chunked output layer equals the whole one, in bounded memory and precisely."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from charrnn import chunked_logits
from charrnn.checkpoint import load
from charrnn.chunked_logits import MIN_KL_NATS, divergences_nats, loss_gradients
from charrnn.context_use import BEFORE, corruption_nats, memory_used
from charrnn.gradient_flow import character_distance, gradient_flow, input_saliency, product_norms
from charrnn.model import CharRNN
from charrnn.paths import CHECKPOINTS
from charrnn.registry import build_model
from charrnn.training import evaluate_cold, evaluate_stream

WINDOW = 256  # characters: the largest tensor may hold logits of as many
MANY = 20_000  # characters of a large vocabulary
FORMS = {
    "rnn": {"cell": "rnn", "hidden_dim": 8},
    "minigpt": {"cell": "minigpt", "hidden_dim": 8, "layers": 1, "heads": 2, "context": 32},
}


@pytest.mark.parametrize("numbers", [1, 30, 1 << 20])
def test_chunked_head_matches_whole(numbers, monkeypatch):
    monkeypatch.setattr(chunked_logits, "MAX_LOGITS", numbers)
    rng = torch.Generator().manual_seed(0)
    layer, h = nn.Linear(4, 5).double(), torch.randn(7, 4, generator=rng, dtype=torch.float64)
    p, q = torch.randn(2, 3, 7, 5, generator=rng, dtype=torch.float64)
    log_p, log_q = p.log_softmax(-1), q.log_softmax(-1)
    assert torch.allclose(divergences_nats(p, q), (log_p.exp() * (log_p - log_q)).sum(-1), rtol=1e-9)
    ids = torch.randint(5, (7,), generator=rng)
    leaf = h.clone().requires_grad_()
    (expected,) = torch.autograd.grad(F.cross_entropy(layer(leaf), ids, reduction="sum"), leaf)
    assert torch.allclose(loss_gradients(layer, h, ids), expected, rtol=1e-12)


def exact_divergence(model: CharRNN, ids: Tensor, first: int, other: int, lags: int) -> np.ndarray:
    """Return the KL after replacing ids[first], from exact differences of h."""
    w = {name: weight.double().numpy() for name, weight in model.state_dict().items()}
    from_x = w["embed.weight"] @ w["cell.W_ih.weight"].T + w["cell.W_hh.bias"]
    W, h, d = w["cell.W_hh.weight"], np.zeros(model.hidden_dim), np.zeros(model.hidden_dim)
    found = []
    for t in range(first - BEFORE, first + lags):
        a = from_x[ids[t]] + W @ h
        d_a = W @ d + (from_x[other] - from_x[ids[t]] if t == first else 0)
        h, d = np.tanh(a), np.sinh(d_a) / (np.cosh(a) * np.cosh(a + d_a))  # tanh(a + d) − tanh(a)
        if t >= first:
            logits = w["head.weight"] @ h + w["head.bias"]
            p = np.exp(logits - logits.max())
            p, shift = p / p.sum(), w["head.weight"] @ d
            shift = shift - p @ shift
            small = shift**2 / 2 + shift**3 / 6 + shift**4 / 24
            found.append(np.log1p(p @ np.where(abs(shift) < 1e-3, small, np.expm1(shift) - shift)))
    return np.array(found)


def test_divergence_is_exact_down_to_1e_28():
    rnn = load(CHECKPOINTS / "rnn")
    assert isinstance(rnn.model, CharRNN)
    ids = torch.tensor(rnn.vocab.encode(rnn.info.passage[:900]))
    places = torch.arange(BEFORE, 800, 24)
    others = (ids[places] + 1) % len(rnn.vocab)
    found = corruption_nats(rnn.model, ids, places, others, 100).numpy()
    exact = np.stack(
        [exact_divergence(rnn.model, ids, *pair, 100) for pair in zip(places.tolist(), others.tolist(), strict=True)]
    )
    precise = exact > 100 * MIN_KL_NATS
    assert 0.2 < precise.mean() < 0.9 and exact.min() < 1e-30, "both kinds occur"
    np.testing.assert_allclose(found[precise], exact[precise], rtol=0.2)
    assert (found[~precise] <= 1000 * MIN_KL_NATS).all() and not found[exact < MIN_KL_NATS / 100].any()


class Largest(TorchDispatchMode):
    """Record the size of the largest tensor created."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                if tensor.is_mkldnn:  # weights in oneDNN's own layout have no storage
                    size = tensor.numel()
                else:
                    size = tensor.untyped_storage().nbytes() // tensor.element_size()
                self.numbers = max(self.numbers, size)
        return result


MEASUREMENTS = {
    "context use": lambda model, ids: memory_used(model, ids, 0, longest=8, predictions=64, positions=4),
    "gradient flow": lambda model, ids: gradient_flow(model, ids, max_lag=8, positions=400),
    "input_saliency": lambda model, ids: input_saliency(model, torch.tensor(ids), torch.arange(100, 250), 8),
    "loss of streams": lambda model, ids: evaluate_stream(model, torch.tensor(ids)),
    "loss of windows": lambda model, ids: evaluate_cold(model, torch.tensor(ids)),
    "product norms": lambda model, ids: product_norms(model, ids, max_lag=2, positions=400),
}


@pytest.mark.parametrize(
    ("name", "form"),
    [(name, form) for name in MEASUREMENTS for form in FORMS if (name, form) != ("product norms", "minigpt")],
)
def test_tensors_stay_small_for_large_vocabulary(name, form):
    model = build_model(FORMS[form], MANY).eval()
    ids = torch.randint(MANY, (600,), generator=torch.Generator().manual_seed(0)).tolist()
    with Largest() as largest:
        MEASUREMENTS[name](model, ids)
    assert 0 < largest.numbers <= WINDOW * MANY


def test_character_distance_is_mean_over_pairs(monkeypatch):
    monkeypatch.setattr(chunked_logits, "MAX_LOGITS", 40)
    model = build_model(FORMS["rnn"], 17)
    expected = torch.pdist(model.embed.weight.detach().double()).mean().item()
    assert character_distance(model) == pytest.approx(expected, rel=1e-12)
    assert character_distance(CharRNN(1, 2)) == 0


@pytest.mark.parametrize("form", ["rnn", "lstm"])
def test_short_text_uses_few_embedding_rows(form, monkeypatch):
    model, ids = CharRNN(50, 8, form), torch.randint(50, (2, 9), generator=torch.Generator().manual_seed(0))
    whole = gradient_flow(model, ids.flatten().tolist(), 4).median
    with torch.no_grad():
        expected = model.fast_forward(ids)[0]
        monkeypatch.setattr("charrnn.model.MAX_LOGITS", 1)
        table, _ = model.inputs(ids)
        assert len(table) == len(ids.unique()) and len(model.inputs(ids.repeat(3, 1))[0]) == 50
        torch.testing.assert_close(model.fast_forward(ids)[0], expected)
    assert np.allclose(gradient_flow(model, ids.flatten().tolist(), 4).median, whole, rtol=1e-12)
