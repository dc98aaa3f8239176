"""Figures are pure functions of records; what they say is what the record holds."""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from charrnn.figures import DARK, FLOOR, LIGHT, Palette, gradient_flow_figure, gradient_flow_words


@dataclass
class Record:
    lags: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    geometric_mean: np.ndarray
    positions: int
    half_life_chars: float | None
    horizon_chars: float | None


def decay(rate: float, max_lag: int = 128) -> Record:
    """A gradient that shrinks by the same factor at each step back."""
    lags = np.arange(max_lag + 1)
    median = rate ** lags.astype(float)
    half, horizon = (math.log(level) / math.log(rate) if rate < 1 else None for level in (0.5, 0.01))
    within = lambda lag: lag if lag is not None and lag <= max_lag else None  # noqa: E731
    return Record(lags, median, median / 3, median * 3, median * 0.9, 512, within(half), within(horizon))


def curve(figure: Any, width: float) -> list:
    (trace,) = [trace for trace in figure.data if trace.mode == "lines" and trace.line.width == width]
    return list(trace.y)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_curve_is_the_median_down_to_the_floor(palette: Palette):
    record = decay(0.7)
    shown = curve(gradient_flow_figure(record, "net", palette), 2.6)
    for value, drawn in zip(record.median, shown, strict=True):
        assert drawn == (value if value >= FLOOR else None)


def test_half_life_and_horizon_stand_on_the_curve():
    record = decay(0.8)
    figure: Any = gradient_flow_figure(record, "net", LIGHT)
    points = {(trace.x[0], trace.y[0]) for trace in figure.data if trace.mode == "markers"}
    assert points == {(record.half_life_chars, 0.5), (record.horizon_chars, 0.01)}
    labels = [annotation.text for annotation in figure.layout.annotations]
    assert f"half-life: {record.half_life_chars:.1f} characters" in labels


def test_a_gradient_that_explodes_has_no_half_life():
    record = decay(1.05)
    figure: Any = gradient_flow_figure(record, "net", LIGHT, untrained=decay(0.9))
    assert not any("half-life" in annotation.text for annotation in figure.layout.annotations)
    lowest, highest = figure.layout.yaxis.range
    assert highest > math.log10(record.median[-1]) and lowest <= math.log10(decay(0.9).median[-1])
    assert "never halves" in gradient_flow_words(record, "net", "a text")


def test_labels_stand_on_opposite_sides_of_the_two_curves():
    for own, untrained in ((0.7, 0.8), (0.8, 0.7)):
        figure: Any = gradient_flow_figure(decay(own), "net, step 1", LIGHT, untrained=decay(untrained))
        side = {annotation.text: annotation.xanchor for annotation in figure.layout.annotations}
        assert {side["untrained"], side["net<br>step 1"]} == {"left", "right"}
        assert side["untrained"] == ("left" if untrained > own else "right")


def test_the_label_of_a_mark_stands_right_of_every_curve():
    own, untrained = decay(0.7), decay(0.85)
    figure: Any = gradient_flow_figure(own, "net", LIGHT, untrained=untrained)
    (label,) = [annotation for annotation in figure.layout.annotations if "1 %" in annotation.text]
    assert untrained.horizon_chars and label.x > untrained.horizon_chars
    assert label.x > own.lags[own.high >= 0.01].max()


def test_the_ticks_of_both_axes_are_equally_large():
    layout: Any = gradient_flow_figure(decay(0.7), "net", LIGHT).layout
    assert 1.25 * layout.yaxis.tickfont.size == pytest.approx(layout.xaxis.tickfont.size, abs=0.5)  # plotly's factor


def test_there_is_no_legend_and_no_box():
    layout: Any = gradient_flow_figure(decay(0.7), "net", DARK).layout
    assert layout.showlegend is False
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"


def test_a_figure_is_plain_json():
    record = decay(0.7)
    first = str(gradient_flow_figure(record, "net", LIGHT, untrained=decay(0.8)).to_json())
    assert json.loads(first)["data"]
    assert first == gradient_flow_figure(record, "net", LIGHT, untrained=decay(0.8)).to_json()
    assert "bdata" not in first  # numbers, not base64: a test, and a reader, can look at them


def test_the_words_name_the_figures_and_the_text():
    record = decay(0.5)
    said = gradient_flow_words(record, "Vanilla RNN, step 2000", "your own text")
    assert said == (
        "Vanilla RNN, step 2000: the gradient has halved after 1.0 characters, 1 % of it is left after 6.6. "
        "Measured at 512 positions of your own text."
    )
