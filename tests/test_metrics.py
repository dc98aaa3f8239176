"""Losses in other units, the progress line, and metrics as JSON."""

import json
import math
from dataclasses import asdict

import pytest

from charrnn.metrics import Metrics, bits_per_char, format_speed, perplexity


def test_one_bit_is_perplexity_two():
    assert bits_per_char(math.log(2)) == pytest.approx(1)
    assert perplexity(math.log(2)) == pytest.approx(2) and perplexity(1e6) == math.inf


def test_metrics_line_shows_all_units():
    line = Metrics(1000, 1.5897, 1.7, 0.5, 1e-3, 9.0).line()
    assert line.startswith("step 1000  loss=1.5897 ppl=4.90 bpc=2.293  val_loss=1.7000 val_ppl=5.47 val_bpc=2.453")


def test_progress_shows_elapsed_and_remaining_time():
    times = {0: 0.5, 100: 10.5, 200: 15.5, 300: 65}
    history = [Metrics(step, 1.0, 1.0, 1.0, 0.1, seconds) for step, seconds in times.items()]
    lines = [format_speed(history[: n + 1], 300) for n in range(4)]
    assert lines[:2] == ["0:00:00", "0:00:10  10.0 steps/s  0:00:20 to go"]
    assert lines[2:] == ["0:00:16  20.0 steps/s  0:00:05 to go", "0:01:05  2.0 steps/s"]


def test_metrics_round_trip():
    point = Metrics(1000, 1.5897, 1.7, 0.5, 1e-3, 9.0)
    assert Metrics.from_json(json.loads(json.dumps(asdict(point)))) == point


@pytest.mark.parametrize("change", [{"step": "1"}, {"val_loss_nats": None}, {"seconds": True}, {"more": 1}])
def test_invalid_metrics_are_refused(change):
    with pytest.raises(ValueError, match="not a point"):
        Metrics.from_json(asdict(Metrics(1, 1.0, 1.0, 0.5, 1e-3, 9.0)) | change)
