"""Heatmap views: scales, row orders and missing activations."""

import numpy as np
import pytest

from charrnn.ui.server.activation_views import HeatmapView, ceil_nice, color_range, nearest_view
from charrnn.ui.server.row_order import by_activity, by_similarity

LSTM = ("h", "c", "i", "f", "g", "o")
GRU = ("h", "r", "z", "n")
MINIGPT = ("layer 2", "layer 1", "embedding")


@pytest.mark.parametrize(("names", "low"), [("iforz", 0), ("hgn", -1)])
def test_bounded_activation_has_fixed_scale(names: str, low: int):
    for name in names:
        scale = color_range(name, np.full((5, 3), 0.2))
        assert (scale.low, scale.high, scale.change, scale.bounded) == (low, 1, 1 - low, True)


@pytest.mark.parametrize("name", ["c", "layer 6", "embedding", "of another network"])
def test_unbounded_scale_ignores_outliers(name: str):
    values = np.random.default_rng(0).standard_normal((400, 50))  # of median size 0.67, their differences 0.95
    values[:, :10] *= 1000
    scale = color_range(name, values)
    assert (scale.low, scale.high, scale.change, scale.bounded) == (-3, 3, 4, False)


@pytest.mark.parametrize(
    ("value", "end"),
    [(0, 0.001), (1, 1), (1.01, 1.2), (2.1, 2.5), (3.3, 4), (9.1, 10), (10, 10), (0.033, 0.04), (740, 800), (7e4, 8e4)],
)
def test_scale_limit_is_rounded_up(value: float, end: float):
    assert ceil_nice(value) == end


def test_scale_of_constant_values_is_positive():
    scale = color_range("c", np.zeros((1, 4)))
    assert scale.high > 0 and scale.change > 0


def test_heatmap_view_orders_all_rows():
    values = np.random.default_rng(1).standard_normal((60, 9)).astype(np.float32)
    view = HeatmapView.of("c", values).to_json()
    assert (view["name"], view["rows"], view["bounded"]) == ("c", 9, False)
    assert sorted(view["orders"]["similarity"]) == sorted(view["orders"]["activity"]) == list(range(9))


@pytest.mark.parametrize(
    ("names", "missing", "shown"),
    [
        (LSTM, "c", "c"),
        (("h",), "c", "h"),
        (GRU, "c", "h"),
        (MINIGPT, "c", "layer 2"),
        (LSTM, "layer 1", "h"),
        (GRU, "f", "z"),
        (LSTM, "z", "f"),
        (GRU, "g", "n"),
        (LSTM, "n", "g"),
        (LSTM, "no such thing", "h"),
    ],
)
def test_missing_view_is_replaced_by_nearest(names: tuple[str, ...], missing: str, shown: str):
    assert nearest_view(names, missing) == shown


def test_row_order_puts_similar_units_together():
    rng = np.random.default_rng(0)
    groups = rng.standard_normal((300, 4))
    members = np.repeat(np.arange(4), 8)
    states = groups[:, members] + 0.3 * rng.standard_normal((300, 32))
    shuffled = rng.permutation(32)
    order = by_similarity(states[:, shuffled])
    assert sorted(order) == list(range(32))
    in_order = members[shuffled[order]]
    assert (np.diff(in_order) != 0).sum() == 3  # four groups, three borders


def test_row_order_puts_constant_units_last():
    states = np.random.default_rng(0).standard_normal((50, 5))
    states[:, 2] = 0.7
    assert by_similarity(states)[-1] == 2
    assert by_activity(states)[-1] == 2


def test_activity_order_puts_most_active_unit_first():
    states = np.array([[0.0, 0.0, 0.0], [0.1, 1.0, 0.5], [0.0, 0.0, 0.0]])
    assert by_activity(states) == [1, 2, 0]
