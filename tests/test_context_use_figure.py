"""The figure of context use matches its records."""

import math
from typing import Any

import numpy as np
import pytest

from charrnn.context_use import ContextUse, Corruption, MemoryUsed
from charrnn.figures import ContextUseCurve, context_use_figure, context_use_sentences, strokes, text_of
from charrnn.figures.context_use import LOW_CONTEXT, LOW_KL


def decaying_use(rate: float, longest: int = 256, lags: int = 128) -> MemoryUsed:
    """Return curves that fall by the same factor with each character."""
    n, k = np.arange(1, longest + 1), np.arange(1, lags + 1)
    excess = 2.0 * (rate**n - rate**longest)
    error = 0.01 * excess
    kl = 3.0 * rate ** (k - 1.0)
    return MemoryUsed(
        ContextUse(1.5 + excess, excess, error, 1.5 * excess, error, 4096), Corruption(kl, kl / 4, 4 * kl, kl, 1024)
    )


def curves(*rates: float) -> list[ContextUseCurve]:
    lines = strokes([f"net {i}" for i in range(len(rates))])
    return [ContextUseCurve(name, decaying_use(rate), lines[name]) for rate, name in zip(rates, lines, strict=True)]


@pytest.mark.parametrize("width", [358, 900])
def test_context_use_figure_matches_curves(width):
    drawn = curves(0.5, 0.8, 0.93, 0.97)
    figure: Any = context_use_figure(drawn, width, drawn[1])
    for curve in drawn:
        context_trace, corruption_trace = [trace for trace in figure.data if trace.name == curve.title]
        traces = context_trace, corruption_trace
        assert [(trace.xaxis, trace.yaxis) for trace in traces] == [("x", "y"), ("x2", "y2")]
        context, probe = curve.used.context, curve.used.corruption
        assert list(context_trace.x) == list(range(1, 257)) and list(corruption_trace.x) == list(range(1, 129))
        assert list(context_trace.y) == [y if y >= LOW_CONTEXT else None for y in context.excess_nats]
        assert list(corruption_trace.y) == [y if y >= LOW_KL else None for y in probe.median]
    (control,) = [trace for trace in figure.data if "shuffled" in (trace.name or "")]
    assert control.name.startswith("net 1,") and control.y[4] == pytest.approx(
        1.5 * drawn[1].used.context.excess_nats[4]
    )
    (band,) = [trace for trace in figure.data if trace.fill]
    assert max(y for x, y in zip(band.x, band.y, strict=True) if x == 3) == pytest.approx(12 * 0.8**2)
    low, high = figure.layout.yaxis.range
    assert low == pytest.approx(math.log10(LOW_CONTEXT)) and high > math.log10(1.5 * 2 * 0.97)


def test_context_use_figure_marks_effective_context():
    drawn = curves(0.5, 0.97)
    figure: Any = context_use_figure(drawn)
    chars = [next(n for n in range(1, 257) if 2 * (rate**n - rate**256) <= 0.01) for rate in (0.5, 0.97)]
    points = [(trace.x[0], trace.y[0]) for trace in figure.data if trace.mode == "markers"]
    assert points == [(n, 0.01) for n in chars]
    assert [trace.name for trace in figure.data if trace.showlegend] == ["net 0", "net 1"]  # one entry for both panels
    influence = [max(k for k in range(1, 129) if 3 * rate ** (k - 1) > 0.01) for rate in (0.5, 0.97)]
    description = text_of(context_use_sentences(drawn, ["a text", "a text"]))
    lengths = f"net 0 uses {chars[0]} characters; a changed letter affects predictions for {influence[0]}. "
    lengths += f"net 1 uses {chars[1]} characters; a changed letter affects predictions for > 127."
    assert influence[1] == 128 and description.startswith(lengths)
    assert "Measured on 4,096 predictions and 1,024 changed letters in a text; less than" in description


def test_context_use_figure_without_models_is_empty():
    figure: Any = context_use_figure([])
    assert len(figure.data) == 0 and context_use_sentences([], []) == []
