"""The page's sampler is sampling.py's, number for number."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from charrnn.sampling import LIMITS, SamplingSettings, distribution

CASES = 1000
COLDEST, HOTTEST = LIMITS["temperature"].low, LIMITS["temperature"].high
FACES = [0.0, 0.5, 1 - 2**-53]  # the ends of a die, and its middle
STAGES = ("temperature", "top_k", "top_p", "min_p")


class Case(NamedTuple):
    logits: np.ndarray  # (V,) float32, as they are sent
    settings: SamplingSettings
    dice: list[float]


def logits_at_random(rng: np.random.Generator) -> np.ndarray:
    """Ordinary ones, flat and steep ones, ties, one against all, and numbers near the ends of float32."""
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
        logits = np.where(rng.random(size) < 0.5, -3e38, rng.normal(0, 2, size))  # half of them as good as masked
    return np.asarray(logits, np.float32)


def case_at_random(rng: np.random.Generator) -> Case:
    """Each setting is at an end of its range, off, or anywhere."""
    logits = logits_at_random(rng)
    size = len(logits)
    temperature = rng.choice([0, COLDEST, 0.01, 0.5, 1, 2, HOTTEST, rng.uniform(0.05, 2)])
    top_k = rng.choice([0, 0, 1, 2, size, size + 1, int(rng.integers(1, size + 1))])
    top_p = rng.choice([5e-324, 1e-12, 0.01, 0.5, 0.9, 1 - 2**-53, 1, 1, rng.uniform(0.01, 1)])
    min_p = rng.choice([0, 0, 1e-300, 0.05, 0.5, 1, rng.uniform(0, 1)])
    settings = SamplingSettings(float(temperature), int(top_k), float(top_p), float(min_p))
    return Case(logits, settings, [*FACES, *rng.random(5).tolist()])


def in_the_page(page: Page, cases: list[Case]) -> list[dict[str, Any]]:
    """What the page makes of every case."""
    return page.evaluate(
        """async (cases) => {
            const sampler = await import("/charrnn/components/sampler.js");
            const { distribution, draw, stageProbs, STAGES } = sampler;
            return cases.map(([logits, [temperature, top_k, top_p, min_p], dice]) => {
                const d = distribution(Float32Array.from(logits), { temperature, top_k, top_p, min_p });
                return {
                    order: d.order, kept: d.kept, raw: d.raw, probs: d.probs, lengths: STAGES.map((s) => d.stages[s]),
                    stages: STAGES.map((stage) => stageProbs(d, stage)),
                    cut: d.order.map((_, rank) => sampler.removingStage(d, rank)),
                    drawn: dice.map((u) => d.order[draw(d, u)]),
                };
            });
        }""",
        [[case.logits.tolist(), [case.settings.temperature, *filters_of(case.settings)], case.dice] for case in cases],
    )


def filters_of(settings: SamplingSettings) -> tuple[int, float, float]:
    return settings.top_k, settings.top_p, settings.min_p


def stage_by_stage(case: Case) -> list[Any]:
    """The distribution after temperature, after top-k too, after top-p too, after all, each worked out afresh."""
    temperature, (top_k, top_p, min_p) = case.settings.temperature, filters_of(case.settings)
    steps = [(0, 1.0, 0.0), (top_k, 1.0, 0.0), (top_k, top_p, 0.0), (top_k, top_p, min_p)]
    return [distribution(torch.from_numpy(case.logits), SamplingSettings(temperature, *step)) for step in steps]


def test_page_sampler_matches_python_on_random_cases(page: Page):
    rng = np.random.default_rng(20)
    cases = [case_at_random(rng) for _ in range(CASES)]
    assert {case.settings.temperature for case in cases} >= {0, COLDEST, HOTTEST}
    for case, found in zip(cases, in_the_page(page, cases), strict=True):
        stages = stage_by_stage(case)
        expected = stages[-1]
        assert found["order"] == expected.order.tolist(), case
        assert found["lengths"] == [stage.kept for stage in stages], case
        assert found["kept"] == expected.kept
        assert found["drawn"] == [expected.draw(u) for u in case.dice], case
        np.testing.assert_allclose(found["raw"], expected.raw, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(found["probs"], expected.probs, rtol=1e-9, atol=1e-15)
        for probs, stage in zip(found["stages"], stages, strict=True):
            np.testing.assert_allclose(probs, stage.probs, rtol=1e-9, atol=1e-15)
        for rank, name in enumerate(found["cut"]):
            first = next((at for at, stage in zip(STAGES, stages, strict=True) if rank >= stage.kept), None)
            assert name == first, (case, rank)


@pytest.mark.smoke
def test_page_sampler_draws_the_same_characters(page: Page):
    rng = np.random.default_rng(3)
    settings = SamplingSettings(0.7, 12, 0.9, 0.05)
    case = Case(rng.normal(0, 2, 65).astype(np.float32), settings, [*FACES, *rng.random(1000).tolist()])
    (found,) = in_the_page(page, [case])
    expected = distribution(torch.from_numpy(case.logits), settings)
    assert found["drawn"] == [expected.draw(u) for u in case.dice]
    assert len(set(found["drawn"])) == expected.kept
