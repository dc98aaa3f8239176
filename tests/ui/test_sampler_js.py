"""The page's sampler (components/sampler.js) computes the numbers of sampling.py."""

from dataclasses import asdict, astuple
from typing import Any, NamedTuple

import numpy as np
import torch

from charrnn.sampling import LIMITS, SamplingSettings, distribution
from tests.node import node_json

CASES = 1000
COLDEST, HOTTEST = LIMITS["temperature"].low, LIMITS["temperature"].high
BOUNDARY_DRAWS = [0.0, 0.5, 1 - 2**-53]
STAGES = ("temperature", "top_k", "top_p", "min_p")


class Case(NamedTuple):
    logits: np.ndarray  # (V,) float32
    settings: SamplingSettings
    draws: list[float]


def random_logits(rng: np.random.Generator) -> np.ndarray:
    """Draw normal, flat or steep logits, ties, one peak, or near float32's ends."""
    size = int(rng.choice([1, 2, 5, 65, 65, 65, 100, 300]))
    kind = rng.integers(8)
    if kind < 3:
        logits = rng.normal(0, rng.choice([0.01, 1, 3, 10, 60]), size)
    elif kind == 3:
        logits = rng.integers(-2, 3, size)  # ties everywhere
    elif kind == 4:
        logits = np.full(size, rng.choice([0, -0.0, 1e30, -1e30]))
    elif kind == 5:
        logits = np.where(np.arange(size) == rng.integers(size), 3e38, -3e38)
    elif kind == 6:
        logits = rng.permutation(np.linspace(-700, 700, size))
    else:
        logits = np.where(rng.random(size) < 0.5, -3e38, rng.normal(0, 2, size))  # half of them masked
    return np.asarray(logits, np.float32)


def random_case(rng: np.random.Generator) -> Case:
    """Draw logits and settings, each at an end of its range, off, or anywhere."""
    logits = random_logits(rng)
    size = len(logits)
    temperature = rng.choice([0, COLDEST, 0.01, 0.5, 1, 2, HOTTEST, rng.uniform(0.05, 2)])
    top_k = rng.choice([0, 0, 1, 2, size, size + 1, int(rng.integers(1, size + 1))])
    top_p = rng.choice([5e-324, 1e-12, 0.01, 0.5, 0.9, 1 - 2**-53, 1, 1, rng.uniform(0.01, 1)])
    min_p = rng.choice([0, 0, 1e-300, 0.05, 0.5, 1, rng.uniform(0, 1)])
    settings = SamplingSettings(float(temperature), int(top_k), float(top_p), float(min_p))
    return Case(logits, settings, [*BOUNDARY_DRAWS, *rng.random(5).tolist()])


def run_page_sampler(cases: list[Case]) -> list[dict[str, Any]]:
    """The results of the page's sampler, run under node."""
    sent = [{"logits": case.logits.tolist(), "settings": asdict(case.settings), "draws": case.draws} for case in cases]
    return node_json("run_sampler.mjs", sent)


def distributions_by_stage(case: Case) -> list[Any]:
    """Return the distributions after temperature, top-k, top-p and min-p."""
    temperature, top_k, top_p, min_p = astuple(case.settings)
    filters = [(0, 1.0, 0.0), (top_k, 1.0, 0.0), (top_k, top_p, 0.0), (top_k, top_p, min_p)]
    return [distribution(torch.from_numpy(case.logits), SamplingSettings(temperature, *some)) for some in filters]


def test_page_sampler_matches_python_on_random_cases():
    rng = np.random.default_rng(20)
    cases = [random_case(rng) for _ in range(CASES)]
    assert {case.settings.temperature for case in cases} >= {0, COLDEST, HOTTEST}
    for case, found in zip(cases, run_page_sampler(cases), strict=True):
        stages = distributions_by_stage(case)
        expected = stages[-1]
        assert found["order"] == expected.order.tolist(), case
        assert found["lengths"] == [stage.kept for stage in stages], case
        assert found["kept"] == expected.kept
        assert found["drawn"] == [expected.draw(u) for u in case.draws], case
        np.testing.assert_allclose(found["raw"], expected.raw, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(found["probs"], expected.probs, rtol=1e-9, atol=1e-15)
        for probs, stage in zip(found["stages"], stages, strict=True):
            np.testing.assert_allclose(probs, stage.probs, rtol=1e-9, atol=1e-15)
        for rank, name in enumerate(found["cut"]):
            first = next((at for at, stage in zip(STAGES, stages, strict=True) if rank >= stage.kept), None)
            assert name == first, (case, rank)
