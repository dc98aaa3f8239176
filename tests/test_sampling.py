"""Sampling settings, distributions, filters and random draws."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charrnn.registry import build_model
from charrnn.sampling import (
    DecoderOutput,
    SamplingSettings,
    UniformStream,
    distribution,
    generate,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    sample,
)

values = st.floats(-30, 30, width=32) | st.sampled_from([0.0, 1.0, -1.0])  # the latter for ties
logit_vectors = st.lists(values, min_size=1, max_size=20).map(lambda row: torch.tensor(row, dtype=torch.float32))
any_settings = st.builds(
    SamplingSettings,
    temperature=st.sampled_from([0.0, 1e-6, 0.1, 0.8, 1.0, 2.0, 100.0]),
    top_k=st.integers(0, 25),
    top_p=st.floats(0, 1, exclude_min=True),
    min_p=st.floats(0, 1),
)
uniforms = st.floats(0, 1, exclude_max=True)


def reference_distribution(logits, settings):
    """Apply each filter to the renormalised result of the previous one."""
    ranked = sorted(range(len(logits)), key=lambda i: (-logits[i].item(), i))
    if settings.temperature == 0:
        return {ranked[0]: 1.0}
    top = logits[ranked[0]].item()
    weights = {i: math.exp((logits[i].item() - top) / settings.temperature) for i in ranked}
    probs = normalised(weights)
    if settings.top_k:
        probs = normalised({i: probs[i] for i in ranked[: settings.top_k]})
    if settings.top_p < 1:
        nucleus, reached = {}, 0.0
        for i, p in probs.items():
            if reached < settings.top_p:
                nucleus[i] = p
                reached += p
        probs = normalised(nucleus)
    likeliest = next(iter(probs.values()))
    return normalised({i: p for i, p in probs.items() if p >= settings.min_p * likeliest})


def normalised(weights):
    total = math.fsum(weights.values())
    return {i: weight / total for i, weight in weights.items()}


@given(logit_vectors, any_settings)
def test_distribution_matches_definition(logits, settings):
    ours, reference = distribution(logits, settings), reference_distribution(logits, settings)
    probs = dict(zip(ours.order.tolist(), ours.probs.tolist(), strict=True))
    if len(reference) == ours.kept:
        for i, p in reference.items():
            assert probs[i] == pytest.approx(p, rel=1e-9, abs=1e-15)
    else:  # two sums may round differently at the border of a nucleus
        assert abs(len(reference) - ours.kept) == 1
        border = distribution(logits, SamplingSettings(settings.temperature, settings.top_k))
        reached, ratio = np.cumsum(border.probs), border.probs / border.probs[0]
        close = np.isclose(reached, settings.top_p, rtol=1e-9) | np.isclose(ratio, settings.min_p, rtol=1e-9)
        assert close.any()


@given(logit_vectors, any_settings)
def test_distribution_is_never_empty(logits, settings):
    ours = distribution(logits, settings)
    assert 1 <= ours.kept <= len(logits)
    assert ours.probs.sum() == pytest.approx(1)
    assert (ours.probs[ours.kept :] == 0).all()
    assert ours.raw.sum() == pytest.approx(1)


@given(logit_vectors)
def test_distribution_without_filters_is_softmax(logits):
    ours = distribution(logits, SamplingSettings())
    assert np.allclose(ours.probs, logits.double().softmax(-1).numpy()[ours.order], atol=1e-12)
    assert np.allclose(ours.raw, ours.probs, atol=1e-12)


@given(logit_vectors, any_settings, uniforms)
def test_draw_is_inverse_cdf(logits, settings, u):
    ours = distribution(logits, settings)
    rank = ours.order.tolist().index(ours.draw(u))
    cumulative = np.cumsum(ours.probs)
    assert rank < ours.kept
    assert cumulative[rank] >= u - 1e-9
    assert rank == 0 or cumulative[rank - 1] <= u + 1e-9


@given(logit_vectors, uniforms)
def test_temperature_zero_is_greedy(logits, u):
    id = distribution(logits, SamplingSettings(temperature=0)).draw(u)
    assert logits[id] == logits.max()
    assert not (logits[:id] == logits.max()).any()


@given(logit_vectors)
def test_order_is_descending_with_ties_by_id(logits):
    order = distribution(logits, SamplingSettings()).order.tolist()
    assert order == sorted(range(len(logits)), key=lambda i: (-logits[i].item(), i))


def test_filters_return_new_tensors():
    logits = torch.randn(2, 3, 7)
    before = logits.clone()
    for filtered in (keep_top_k(logits, 2), keep_top_p(logits, 0.5), keep_min_p(logits, 0.5)):
        assert filtered.shape == logits.shape
        kept = torch.isfinite(filtered)
        assert torch.equal(filtered[kept], logits[kept])
    assert torch.equal(logits, before)
    assert (torch.isfinite(keep_top_k(logits, 2)).sum(-1) == 2).all()


@given(logit_vectors, st.integers(1, 25), st.floats(0.01, 1), st.floats(0, 1))
def test_filters_in_sequence_match_distribution(logits, top_k, top_p, min_p):
    chained = keep_min_p(keep_top_p(keep_top_k(logits, top_k), top_p), min_p)
    whole = distribution(logits, SamplingSettings(top_k=top_k, top_p=top_p, min_p=min_p))
    assert set(torch.nonzero(torch.isfinite(chained)).flatten().tolist()) == set(whole.order[: whole.kept].tolist())


def test_filters_pass_gradient():
    logits = torch.tensor([1.0, 3.0, 2.0], requires_grad=True)
    keep_top_k(logits, 2).logsumexp(-1).backward()
    assert logits.grad is not None
    assert (logits.grad > 0).tolist() == [False, True, True]


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_infinite_logits_are_refused(broken):
    with pytest.raises(ValueError, match="not finite"):
        distribution(torch.tensor([0.0, broken, 1.0]), SamplingSettings())


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", math.nan), ("temperature", 1e-9), ("top_k", 1.5), ("top_p", 0), ("min_p", 2)]
)
def test_invalid_setting_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        SamplingSettings(**{name: value})


def test_uniform_stream_matches_torch_generator():
    """In any order of the indices."""
    rng, stream = torch.Generator().manual_seed(7), UniformStream(7)
    last = stream[1500]
    values = [torch.rand((), dtype=torch.float64, generator=rng).item() for _ in range(1501)]
    assert [stream[i] for i in range(1501)] == values and last == values[-1] != UniformStream(6)[1500]
    assert [UniformStream(7)[i] for i in (0, 1, 511, 512)] == [values[i] for i in (0, 1, 511, 512)]


class Counter:
    """A decoder of five characters that prefers the text length modulo 5."""

    def prefill(self, ids, state=0):
        return self._output((state or 0) + len(ids))

    def step(self, id, state):
        return self._output(state + 1)

    def _output(self, length):
        return DecoderOutput(np.eye(5)[length % 5], length)


def test_every_character_uses_one_uniform():
    model = Counter()
    for settings in (SamplingSettings(), SamplingSettings(0), SamplingSettings(2, 2, 0.5, 0.1)):
        steps = list(generate(model, model.prefill([]), 20, settings, UniformStream(3)))
        assert [step.u for step in steps] == [UniformStream(3)[i] for i in range(20)]
        assert [step.index for step in steps] == list(range(20))


def test_generation_in_two_parts_matches_whole():
    model, settings = Counter(), SamplingSettings(1.5)
    whole = [step.id for step in generate(model, model.prefill([]), 30, settings, UniformStream(3))]
    first = list(generate(model, model.prefill([]), 12, settings, UniformStream(3)))
    rest = generate(model, first[-1].output, 18, settings, UniformStream(3), start=12)
    assert [step.id for step in [*first, *rest]] == whole


def test_sample_rows_match_generate():
    ctx, settings = torch.tensor([[0, 1], [2, 3], [4, 0]]), SamplingSettings(2.0)
    text = sample(Counter(), ctx, 15, settings, seed=8)
    assert torch.equal(text[:, :2], ctx)
    for b, row in enumerate(text.tolist()):
        model = Counter()
        steps = generate(model, model.prefill(row[:2]), 15, settings, UniformStream(8 + b))
        assert row[2:] == [step.id for step in steps]


def test_sample_without_seed_varies():
    """Two equal texts have a probability below 1e-20."""
    ctx = torch.tensor([[0]])
    first, second = (sample(Counter(), ctx, 40, SamplingSettings(100.0), None) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(sample(Counter(), ctx, 0, SamplingSettings(), None), ctx)


@pytest.mark.parametrize(
    "config",
    [
        {"cell": "rnn", "hidden_dim": 6},
        {"cell": "gru", "hidden_dim": 6, "layer_norm": True},
        {"cell": "lstm", "hidden_dim": 6},
        {"cell": "minigpt", "hidden_dim": 8, "layers": 2, "heads": 2, "context": 4},
    ],
    ids=lambda config: config["cell"],
)
def test_sample_of_every_network_matches_forward(config):
    """Recompute the whole text by `forward` for each character."""
    model, settings, draws = build_model(config, 7), SamplingSettings(0.9, 5, 0.95), UniformStream(4)
    rng = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=rng) * 0.5)
    ctx = torch.tensor([[3, 1, 6]])
    text = model.sample(ctx, 12, temperature=0.9, top_k=5, top_p=0.95, seed=4)
    assert text.shape == (1, 15)
    for index in range(12):
        with torch.no_grad():
            logits = model(text[:, : 3 + index])[0][0, -1]
        assert text[0, 3 + index] == distribution(logits, settings).draw(draws[index])


def test_sample_frequencies_match_distribution():
    """Bounds are six standard deviations: p < 1e-9."""
    logits, n = torch.randn(12, generator=torch.Generator().manual_seed(1)), 20000
    ours, draws = distribution(logits, SamplingSettings(0.8, 6, 0.9)), UniformStream(1)
    counts = np.bincount([ours.draw(draws[i]) for i in range(n)], minlength=12)[ours.order]
    spread = np.sqrt(n * ours.probs * (1 - ours.probs))
    assert (np.abs(counts - n * ours.probs) <= 6 * spread + 1e-9).all()
