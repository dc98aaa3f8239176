"""Line resets and look-back of decoders with known behavior."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from charrnn.probes import CONTEXT_LENGTHS, ablate_context, kl_nats, line_reset, log_probabilities
from charrnn.sampling import DecoderOutput

TEXT = "".join("abcdefghij"[: 6 + i % 5] + "\n" + ("\n" if i % 4 == 0 else "") for i in range(40))


class Window:
    """A decoder that predicts from its last `n` characters only."""

    def __init__(self, n: int, strength: float = 1.0):
        self.n, self.strength = n, strength

    def prefill(self, ids: Sequence[int], state: Any = None) -> DecoderOutput:
        last = ((state or ()) + tuple(ids))[-self.n :] if self.n else ()
        logits = np.zeros(5)
        for k, id in enumerate(reversed(last)):
            logits[id] += self.strength / (k + 1)
        return DecoderOutput(logits, last)

    def step(self, id: int, state: Any) -> DecoderOutput:
        return self.prefill([id], state)


@pytest.mark.parametrize("n", [0, 1, 3, 8, 32])
def test_context_ablation_finds_window_length(n: int):
    ids = np.random.default_rng(0).integers(0, 5, 400).tolist()
    found = ablate_context(Window(n, 20.0), ids)
    assert found.characters == n and found.n == CONTEXT_LENGTHS and found.positions == 48
    assert found.nats[CONTEXT_LENGTHS.index(n) :] == pytest.approx(0, abs=1e-12)
    assert (found.nats[: CONTEXT_LENGTHS.index(n)] > 0.01).all()


def test_context_ablation_is_mean_divergence():
    ids, decoder = np.random.default_rng(1).integers(0, 5, 90).tolist(), Window(64)
    found = ablate_context(decoder, ids, positions=3)
    for row, n in enumerate(CONTEXT_LENGTHS):
        total = 0.0
        for end in (65, 77, 90):  # spread evenly, the last at the end
            logits = (decoder.prefill(read).logits for read in (ids[:end], ids[end - n : end]))
            p, q = (np.exp(x) / np.exp(x).sum() for x in logits)
            total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        assert found.nats[row] == pytest.approx(total / 3, abs=1e-12)


def test_kl_of_equal_distributions_is_zero():
    rng = np.random.default_rng(2)
    for _ in range(50):
        p, q = (log_probabilities(rng.normal(size=9) * 4) for _ in range(2))
        assert kl_nats(p, p) == 0 and kl_nats(p, q) > 0 and np.exp(p).sum() == pytest.approx(1)


def column(text: str) -> np.ndarray:
    """The column of each character in its line; 0 for a newline."""
    values, count = [], 0
    for character in text:
        count = 0 if character == "\n" else count + 1
        values.append(float(count))
    return np.array(values)


def test_line_reset_of_counting_unit_is_complete():
    counts = line_reset(TEXT, column(TEXT))
    lengths = [len(line) for line in TEXT.split("\n") if line]
    assert counts.lines == len(lengths) == 40
    assert counts.before == pytest.approx(np.std(lengths)) and counts.after == counts.remaining_share == 0
    assert counts.carried == pytest.approx(1)
    no_reset = line_reset(TEXT, np.arange(len(TEXT)))
    assert no_reset.remaining_share == pytest.approx(1, abs=0.01) and no_reset.carried == pytest.approx(1)


def test_line_reset_of_noise_carries_nothing():
    noise = line_reset(TEXT * 20, np.random.default_rng(0).normal(size=20 * len(TEXT)))
    assert abs(noise.carried) < 0.1 and noise.remaining_share == pytest.approx(1, abs=0.15)
    constant = line_reset(TEXT, np.ones(len(TEXT)))
    assert constant.carried == 0 and constant.remaining_share == 1


def test_line_reset_correlates_within_lines():
    values = np.random.default_rng(4).normal(size=len(TEXT))
    pairs, start = [], 0
    for line in TEXT.splitlines(keepends=True):
        for i in range(len(line) - 1 - 5):  # without the ⏎
            pairs.append((values[start + i], values[start + i + 5]))
        start += len(line)
    assert line_reset(TEXT, values).carried == pytest.approx(np.corrcoef(np.array(pairs).T)[0, 1])


def test_line_reset_of_short_text_is_refused():
    with pytest.raises(ValueError, match="the text has 1 usable lines: give one with at least 8"):
        line_reset("abc\n\n\n", np.arange(6))
    with pytest.raises(ValueError, match="the text has 64 characters: give more than 64"):
        ablate_context(Window(1), [0] * 64)
