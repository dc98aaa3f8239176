"""Figures of recurrent scale and training match their measurements."""

import math
from typing import Any

import numpy as np
import pytest

from charrnn.figures import (
    BLUE,
    ORANGE,
    Cloud,
    NormRun,
    ScaledCurves,
    describe_eigenvalues,
    describe_grad_norms,
    describe_product_norms,
    describe_steps,
    eigenvalue_figure,
    grad_norms_figure,
    in_light_colors,
    product_norms_figure,
    steps_figure,
)
from charrnn.figures.palette import LIGHT, MODELS
from charrnn.gradient_flow import ProductNorms
from tests.test_figures import decay, texts, trace

LAGS = np.array([1, 2, 4, 8, 64, 128])


def norms_of(rate: float, bound: float | None = None) -> ProductNorms:
    median = 3 * rate ** LAGS.astype(float)
    bounds = None if bound is None else bound ** LAGS.astype(float)
    return ProductNorms(LAGS, median, median / 2, median * 2, bounds, positions=64)


def test_product_figure_matches_measurement():
    one = ScaledCurves("× 1", BLUE, norms_of(0.9, 6.0), decay(0.85))
    scaled = ScaledCurves("× 1.40", ORANGE, norms_of(1.02, 8.4), decay(0.99))
    figure: Any = product_norms_figure([one, scaled])
    for each in (one, scaled):
        assert np.allclose(trace(figure, each.title).y, each.norms.median)
        assert np.allclose(trace(figure, f"{each.title}, gradient").y, each.flow.median)
        assert each.norms.bound is not None
        assert np.allclose(trace(figure, f"{each.title}, bound").y, np.minimum(each.norms.bound, 1e100))
        assert trace(figure, each.title).line.color == each.color
    bands = [drawn for drawn in figure.data if drawn.fill]
    assert [max(band.y) for band in bands] == pytest.approx([one.norms.high.max(), scaled.norms.high.max()])
    bottom, top = figure.layout.yaxis.range
    assert top < math.log10(8.4**128) and top > math.log10(scaled.norms.high.max())  # the bound is beyond the axis
    assert bottom <= math.log10(one.norms.median.min())


def test_product_figure_without_bound_draws_none():
    curves = [ScaledCurves("× 1", BLUE, norms_of(0.9), decay(0.85))]
    figure: Any = product_norms_figure(curves)
    assert [line.name for line in figure.data[1:]] == ["× 1, gradient", "× 1"]
    assert describe_product_norms(curves) == f"× 1: 128 steps stretch a vector by {3 * 0.9**128:.0e} at most."
    bounded = describe_product_norms([ScaledCurves("× 1", BLUE, norms_of(0.9, 6.0), decay(0.85))])
    assert "one step by 2.70" in bounded and "(σ_max W_hh)^128 would allow 4e+99" in bounded


def test_product_of_zero_leaves_gap():
    median = np.where(LAGS < 64, norms_of(0.5).median, 0.0)
    norms = ProductNorms(LAGS, median, median, median, None, positions=64)
    figure: Any = product_norms_figure([ScaledCurves("× 1", BLUE, norms, decay(0.4))], 360)
    drawn = trace(figure, "× 1").y
    assert np.isnan(drawn[4:]).all() and np.allclose(drawn[:4], norms.median[:4])


def test_eigenvalue_figure_has_points_and_unit_circle():
    values = np.array([3 + 0j, 0.5 + 0.5j, 0.5 - 0.5j, -0.2 + 0j])
    clouds = [Cloud("× 1", BLUE, values), Cloud("× 0.70", ORANGE, 0.7 * values)]
    figure: Any = eigenvalue_figure(clouds)
    for cloud in clouds:
        points = trace(figure, cloud.title)
        assert np.allclose(np.array(points.x) + 1j * np.array(points.y), cloud.eigenvalues)
    (circle,) = figure.layout.shapes
    assert (circle.type, circle.x0, circle.x1, circle.y0, circle.y1) == ("circle", -1, 1, -1, 1)
    assert figure.layout.yaxis.scaleanchor == "x"
    assert figure.layout.xaxis.range == figure.layout.yaxis.range and figure.layout.xaxis.range[1] > 3
    assert "● × 1: |λ| ≤ 3.00" in texts(figure) and "◇ × 0.70: |λ| ≤ 2.10" in texts(figure)
    assert describe_eigenvalues(clouds[:1]) == (
        "× 1: the largest of 4 eigenvalues has modulus 3.00; 1 lie outside the unit circle."
    )


def test_step_figure_goes_from_grey_to_model_color():
    flows = {0: decay(0.9), 100: decay(0.6), 2000: decay(0.8)}
    figure: Any = steps_figure(flows, BLUE)
    drawn = in_light_colors(figure)
    assert trace(drawn, "step 0").line.color == LIGHT["quiet"]
    assert (trace(drawn, "step 2000").line.color, trace(drawn, "step 2000").line.dash) == (LIGHT["minus"], "solid")
    (band,) = [drawn for drawn in figure.data if drawn.fill]
    assert max(y for x, y in zip(band.x, band.y, strict=True) if x == 5) == pytest.approx(flows[2000].high[5])
    halves = [math.log(0.5) / math.log(rate) for rate in (0.9, 0.6, 0.8)]
    steps = ", ".join(f"{half:.1f} at step {step}" for half, step in zip(halves, flows, strict=True))
    assert describe_steps("GRU", flows) == f"GRU: half of the signal is gone, in characters, after {steps}."
    assert "never at step 0" in describe_steps("GRU", {0: decay(1.1)})


@pytest.mark.parametrize("width", [360, 900])
def test_gradient_norm_figure_overlays_clipped_runs(width):
    norms = [2.0, 0.5, 0.4]
    runs = [NormRun("tanh", norms, 20, False), NormRun("tanh", norms, 20, True), NormRun("relu", [9.0, 1], 20, False)]
    figure: Any = grad_norms_figure(runs, 5.0, width)
    clipped, bare, alone = (trace(figure, name) for name in ("tanh, clipped", "tanh, not clipped", "relu, not clipped"))
    assert list(clipped.x) == [20, 40, 60] and list(clipped.y) == list(bare.y) == norms
    assert clipped.line.width > bare.line.width and bare.line.dash != "solid"
    assert alone.line.color == MODELS[1] != bare.line.color
    (line,) = figure.layout.shapes
    assert line.y0 == line.y1 == 5.0 and "clipped above 5" in texts(figure)
    assert 10 ** figure.layout.yaxis.range[1] > 9
    alt = describe_grad_norms(runs, 5.0)
    assert alt == "The gradient reaches 5 with relu. Largest norms: tanh: 2.00; relu: 9.00."
    assert describe_grad_norms(runs[:2], 5.0).startswith("No gradient reaches 5 in these 2 runs: clipping changed")
