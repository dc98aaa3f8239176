"""The page's sampler is sampling.py's, number for number."""

import numpy as np
import torch
from playwright.sync_api import Page

from charrnn.sampling import SamplingSettings, distribution

SETTINGS = [
    (0.0, 0, 1.0, 0.0),
    (1.0, 0, 1.0, 0.0),
    (0.8, 0, 1.0, 0.0),
    (2.0, 0, 0.95, 0.0),
    (0.7, 12, 0.9, 0.05),
    (1.3, 3, 0.5, 0.2),
    (1.0, 1, 1.0, 0.0),
    (1.0, 65, 0.01, 0.0),
    (0.01, 0, 0.99, 0.0),
    (1.0, 0, 1.0, 1.0),
    (0.05, 40, 0.7, 0.9),
    (1.0, 200, 0.999, 0.001),
]


def logit_vectors() -> list[list[float]]:
    """Ordinary ones, flat and steep ones, ties, and numbers near the ends of float32."""
    rng = np.random.default_rng(20)
    vectors = [rng.normal(0, spread, 65) for spread in (0.01, 1, 3, 10, 60) for _ in range(6)]
    vectors += [rng.integers(-2, 3, 65) for _ in range(12)]  # ties everywhere
    vectors += [np.zeros(65), np.full(65, -1e30), np.where(np.arange(65) == 9, 3e38, -3e38), np.linspace(-700, 700, 65)]
    vectors += [rng.normal(0, 2, size) for size in (1, 2, 5, 300)]
    return [np.asarray(vector, np.float32).tolist() for vector in vectors]


def test_order_length_and_probabilities_are_the_same(page: Page):
    vectors = logit_vectors()
    found = page.evaluate(
        """([vectors, settings]) => vectors.map((logits) => settings.map(([temperature, top_k, top_p, min_p]) => {
            const d = charrnn.live.distribution(Float32Array.from(logits), { temperature, top_k, top_p, min_p });
            return [d.order, d.kept, d.raw, d.probs];
        }))""",
        [vectors, SETTINGS],
    )
    for logits, per_setting in zip(vectors, found, strict=True):
        for settings, (order, kept, raw, probs) in zip(SETTINGS, per_setting, strict=True):
            expected = distribution(torch.tensor(logits), SamplingSettings(*settings))
            assert order == expected.order.tolist()
            assert kept == expected.kept, settings
            np.testing.assert_allclose(raw, expected.raw, rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(probs, expected.probs, rtol=1e-9, atol=1e-15)


def test_the_same_die_falls_on_the_same_character(page: Page):
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, 65).astype(np.float32)
    dice = [0.0, 0.5, 1 - 2**-53, *rng.random(300).tolist()]
    found = page.evaluate(
        """async ([logits, settings, dice]) => {
            const { distribution, draw } = await import("/charrnn/live_view/sampler.js");
            return settings.map(([temperature, top_k, top_p, min_p]) => {
                const d = distribution(Float32Array.from(logits), { temperature, top_k, top_p, min_p });
                return dice.map((u) => d.order[draw(d, u)]);
            });
        }""",
        [logits.tolist(), SETTINGS, dice],
    )
    for settings, drawn in zip(SETTINGS, found, strict=True):
        expected = distribution(torch.from_numpy(logits), SamplingSettings(*settings))
        assert drawn == [expected.draw(u) for u in dice]
