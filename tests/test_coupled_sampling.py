"""Sample two models with common random numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.coupled_sampling import (
    Generator,
    bin_edge,
    cdf_interval,
    common_length,
    diverged,
    rank_of,
    sample_coupled,
    visible_ranks,
)
from charrnn.sampling import DecoderOutput, SamplingSettings, UniformStream, distribution, generate
from charrnn.vocab import UnknownCharacterError, Vocab


class Bigrams:
    """A decoder that remembers only the last character."""

    def __init__(self, size: int, seed: int):
        self.logits = np.random.default_rng(seed).normal(size=(size + 1, size)) * 2

    def prefill(self, ids: Sequence[int], state: Any = None) -> DecoderOutput:
        last = ids[-1] if len(ids) else -1
        return DecoderOutput(self.logits[last], last)

    def step(self, id: int, state: Any) -> DecoderOutput:
        return DecoderOutput(self.logits[id], id)


def bigrams(seed: int, characters: str = "abcdefgh", **settings: Any) -> Generator:
    vocab = Vocab(characters)
    return Generator.after("", Bigrams(len(vocab), seed), vocab, SamplingSettings(**settings))


def sample_alone(generator: Generator, n: int, seed: int) -> str:
    """Sample a text without a second model."""
    steps = generate(generator.decoder, generator.output, n, generator.settings, UniformStream(seed))
    return "".join(map(generator.character, steps))


seeds = st.integers(0, 2**32 - 1)
temperatures = st.sampled_from([0.0, 0.3, 1.0, 1.7])


@given(seeds, seeds, seeds, temperatures, temperatures)
def test_coupled_samples_match_single_samples(a_seed, b_seed, seed, a_temperature, b_temperature):
    a, b = bigrams(a_seed, temperature=a_temperature), bigrams(b_seed, temperature=b_temperature, top_k=3)
    pairs, draws = list(sample_coupled(a, b, 40, UniformStream(seed))), UniformStream(seed)
    assert "".join(a.character(pair.a) for pair in pairs) == sample_alone(a, 40, seed)
    assert "".join(b.character(pair.b) for pair in pairs) == sample_alone(b, 40, seed)
    assert [(pair.a.u, pair.b.u, pair.a.index, pair.b.index) for pair in pairs] == [
        (draws[i], draws[i], i, i) for i in range(40)
    ]


@given(seeds, seeds, seeds)
def test_coupled_samples_diverge_at_first_difference(a_seed, b_seed, seed):
    a, b = bigrams(a_seed), bigrams(b_seed)
    pairs = list(sample_coupled(a, b, 60, UniformStream(seed)))
    first = next((i for i, pair in enumerate(pairs) if diverged(a, b, pair)), 60)
    assert first == common_length(sample_alone(a, 60, seed), sample_alone(b, 60, seed))
    swapped = list(sample_coupled(b, a, 60, UniformStream(seed)))
    assert next((i for i, pair in enumerate(swapped) if diverged(b, a, pair)), 60) == first


def test_divergence_compares_characters():
    a, b = bigrams(3, "abcd"), bigrams(3, "bcda")
    (pair,) = sample_coupled(a, b, 1, UniformStream(0))
    assert pair.a.id == pair.b.id and diverged(a, b, pair)


@given(seeds, seeds, st.floats(0.1, 2), st.integers(0, 8), st.floats(0.05, 1))
def test_draw_lies_in_its_cdf_interval(model_seed, seed, temperature, top_k, top_p):
    generator = bigrams(model_seed, temperature=temperature, top_k=top_k, top_p=top_p)
    for step in generate(generator.decoder, generator.output, 20, generator.settings, UniformStream(seed)):
        interval = cdf_interval(generator, step)
        probs = step.distribution.probs
        assert interval.low - 1e-12 <= step.u < interval.high + 1e-12
        assert interval.high - interval.low == pytest.approx(probs[interval.rank], abs=1e-12)
        assert interval.low == pytest.approx(probs[: interval.rank].sum(), abs=1e-12)
        assert generator.vocab.characters[step.distribution.order[interval.rank]] == interval.character


def test_greedy_interval_is_everything():
    probabilities = distribution(np.array([0.0, 2.0, 1.0]), SamplingSettings(temperature=0))
    assert (bin_edge(probabilities, 0), bin_edge(probabilities, 1), bin_edge(probabilities, 3)) == (0.0, 1.0, 1.0)
    generator = bigrams(5, temperature=0)
    for step in generate(generator.decoder, generator.output, 20, generator.settings, UniformStream(1)):
        assert cdf_interval(generator, step)[1:] == (0, 0.0, 1.0)


@given(st.integers(0, 7), st.integers(0, 7), st.integers(2, 12))
def test_visible_ranks_include_required(first, second, rows):
    probabilities = distribution(np.random.default_rng(first).normal(size=8), SamplingSettings(top_k=2))
    ranks, required = (
        visible_ranks(probabilities, [first, second], rows),
        {rank_of(probabilities, id) for id in (first, second)},
    )
    assert ranks == sorted(set(ranks)) and len(ranks) == min(rows, 8) and required <= set(ranks)
    others = [rank for rank in ranks if rank not in required]
    assert others == [rank for rank in range(8) if rank not in required][: len(others)]


@pytest.mark.parametrize(("a", "b", "shared"), [("", "", 0), ("ab", "ab", 2), ("ab", "abc", 2), ("abc", "axc", 1)])
def test_common_length_is_shared_prefix(a, b, shared):
    assert common_length(a, b) == common_length(b, a) == shared


def test_coupled_prompt_must_be_known():
    with pytest.raises(UnknownCharacterError, match="'x'"):
        Generator.after("x", Bigrams(3, 0), Vocab("abc"), SamplingSettings())
