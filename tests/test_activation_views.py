"""Heatmap views: scales, row orders, named rows and missing activations."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from charrnn.bootstrap import Interval
from charrnn.checkpoint import Analyses
from charrnn.neurons import BestUnit, Leaderboard, leaderboard_record
from charrnn.ui.server.activation_views import HeatmapView, ceil_nice, color_range, nearest_view
from charrnn.ui.server.named_units import NamedUnits
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


def test_named_units_come_from_the_saved_leaderboard():
    best = (
        BestUnit("vowel", 3, -1, 0.9, 0.8125, 0.75, 0.78125),  # 0.03 above
        BestUnit("capital", 5, 1, 0.9, 0.9375, 0.75, 0.78125, Interval(0.875, 0.96875)),
        BestUnit("first word", 5, 1, 0.9, 0.875, 0.75, 0.78125),  # of a unit that has a name
        BestUnit("newline", 0, 1, 1, 0.99, 0.984375, 1.015625),  # none found
        BestUnit("position in line", 7, 1, 0.6, 0.625, 0.0, 0.03125),
        BestUnit("position in word", 1, -1, 0.3, 0.25, 0.0, 0.03125, Interval(-0.5, 0.5)),
    )
    board = Leaderboard("h", best, 16, 5, 0.03125, 2048, (), chance=2.5)
    analyses = Analyses({"units": leaderboard_record([board], "x" * 10_001)})
    info: Any = SimpleNamespace(analyses=analyses, saved_steps=[0, 12])
    found = NamedUnits.of(info, "h", 16)
    assert found and (found.step, found.characters, found.concepts, found.chance) == (12, 5001, 5, 2.5)
    assert [(unit.unit, unit.name, unit.numeric, unit.direction) for unit in found.units] == [
        (7, "counts along the line", True, 1),
        (1, "position in word", True, -1),
        (5, "capital", False, 1),
        (3, "vowel", False, -1),
    ]
    assert found.units[1].score == "R² 0.25 (−0.50 to 0.50), untrained networks 0.00"
    assert NamedUnits.of(info, "h", 32) is None and NamedUnits.of(info, "c", 16) is None


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
