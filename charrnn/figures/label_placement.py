"""
Placement of direct labels: beside their curve, clear of others.

In pixels of the plot area, x to the right and y downwards. The font is monospace, so label widths are known.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LETTER_WIDTH, LINE_HEIGHT = 7.3, 16.0  # of 12 pixel monospace
STEP = 10.0  # from one point of a curve to the next
MAX_POINTS = 512  # of one curve, however long or ragged it is; then they are farther apart
MAX_OCCUPIED = 4096  # of the pixels that no name may hide
EVERY = 2  # points that a name may stand beside
GAPS = (9.0, 22.0, 40.0)  # between a point of the curve and its name
CLEAR = 3.0  # pixels around a name that stay free
FAR = 12.0  # a name farther from its curve than this has a line to it
ROUNDS = 3


class Box(NamedTuple):
    """The size of a label."""

    width: float
    height: float


class Spot(NamedTuple):
    """The position of a label: a point of its curve and an offset from it."""

    x: float
    y: float
    dx: float
    dy: float


class Area(NamedTuple):
    """A plot area in pixels with its axis ranges, in decades for log axes."""

    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def pixels(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Convert data points to pixels (N, 2); points that are not finite are dropped."""
        (left, right), (bottom, top) = self.x_range, self.y_range
        points = np.stack([(x - left) / (right - left) * self.width, (top - y) / (top - bottom) * self.height], axis=1)
        return points[np.isfinite(points).all(axis=1)]

    def values(self, x: float, y: float) -> tuple[float, float]:
        """Convert a point in pixels to data coordinates."""
        (left, right), (bottom, top) = self.x_range, self.y_range
        return left + x / self.width * (right - left), top - y / self.height * (top - bottom)


def box_of(lines: Sequence[str]) -> Box:
    """Return the size of a label."""
    return Box(LETTER_WIDTH * max(map(len, lines)) + 4, LINE_HEIGHT * len(lines))


def beside_curves(curves: Sequence[np.ndarray], boxes: Sequence[Box], taken: np.ndarray, area: Area) -> list[Spot]:
    """
    Place a label beside each curve without overlaps.

    curves: (N_i, 2) pixels each; boxes: label sizes; taken (M, 2): pixels that must stay visible.
    """
    lines = [_densely(curve, area) for curve in curves]
    taken = taken[:: math.ceil(len(taken) / MAX_OCCUPIED) or 1]
    candidates = [_candidates(line, box, area) for line, box in zip(lines, boxes, strict=True)]
    costs = [_cost_of_curves(i, places, lines, boxes[i], taken, area) for i, places in enumerate(candidates)]
    chosen = [int(cost.argmin()) for cost in costs]
    for _ in range(ROUNDS):
        for i, places in enumerate(candidates):
            cost = costs[i].copy()
            for j, other in enumerate(candidates):
                if j != i:
                    cost += 1000 * _overlaps(_centres(places), boxes[i], _centres(other[chosen[j]][None])[0], boxes[j])
            chosen[i] = int(cost.argmin())
    return [Spot(*map(float, places[best])) for places, best in zip(candidates, chosen, strict=True)]


def at_ends(heights: Sequence[float], area_height: float, apart: float = LINE_HEIGHT) -> list[float]:
    """
    Place labels in a column beside the ends of their curves, `apart` pixels apart.

    Heights in pixels from the top, in the given order; spread evenly if the column is too short. Touching labels form
    a block at its best position: isotonic regression.
    """
    count = len(heights)
    apart = min(apart, area_height / max(1, count))
    order = np.argsort(heights, kind="stable")
    blocks: list[tuple[float, int]] = []  # height of the first name, names
    for i, name in enumerate(order.tolist()):
        block = (heights[name] - i * apart, 1)
        while blocks and blocks[-1][0] >= block[0]:
            (height, size), (other, other_size) = blocks.pop(), block
            block = (height * size + other * other_size) / (size + other_size), size + other_size
        blocks.append(block)
    first = np.repeat([height for height, _ in blocks], [size for _, size in blocks])
    placed = np.empty(count)
    placed[order] = first.clip(apart / 2, area_height - apart * (count - 0.5)) + apart * np.arange(count)
    return placed.tolist()


def _densely(curve: np.ndarray, area: Area) -> np.ndarray:
    """Resample the visible part of a curve every STEP pixels: (N, 2)."""
    inside = (curve[:, 1] >= -1) & (curve[:, 1] <= area.height + 1) & (curve[:, 0] >= -1) & (curve[:, 0] <= area.width)
    curve = curve[inside] if inside.any() else curve[:1]
    if len(curve) < 2:
        return curve if len(curve) else np.array([[area.width / 2, area.height / 2]])
    lengths = np.hypot(*np.diff(curve, axis=0).T)
    along = np.concatenate([[0.0], lengths.cumsum()])
    at = np.linspace(0, along[-1], min(MAX_POINTS, max(2, int(along[-1] / STEP) + 1)))
    return np.stack([np.interp(at, along, curve[:, 0]), np.interp(at, along, curve[:, 1])], axis=1)


def _candidates(line: np.ndarray, box: Box, area: Area) -> np.ndarray:
    """Return candidate positions (P, 4), inside the area if possible."""
    sides = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if (x, y) != (0, 0)]
    offsets = [(x * (box.width / 2 + gap), y * (box.height / 2 + gap)) for gap in GAPS for x, y in sides]
    spots = np.concatenate(
        [np.hstack([line[::EVERY], np.broadcast_to(offset, line[::EVERY].shape)]) for offset in offsets]
    )
    centres = _centres(spots)
    outside = (
        np.abs(centres - [area.width / 2, area.height / 2])
        > [
            (area.width - box.width) / 2,
            (area.height - box.height) / 2,
        ]
    ).any(axis=1)
    return spots[~outside] if not outside.all() else spots


def _centres(spots: np.ndarray) -> np.ndarray:
    return spots[:, :2] + spots[:, 2:]


def _overlaps(centres: np.ndarray, box: Box, other: np.ndarray, other_box: Box) -> np.ndarray:
    """Return which labels at `centres` (P, 2) overlap another one."""
    room = [(box.width + other_box.width) / 2 + CLEAR, (box.height + other_box.height) / 2 + CLEAR]
    near = np.abs(centres - other) < room
    return near[:, 0] & near[:, 1]


def _cost_of_curves(
    own: int, spots: np.ndarray, lines: Sequence[np.ndarray], box: Box, taken: np.ndarray, area: Area
) -> np.ndarray:
    """Return the cost of each candidate: hidden points and ambiguity, (P,)."""
    centres = _centres(spots)
    half = np.array([box.width / 2 + CLEAR, box.height / 2 + CLEAR])
    own_distance = _distance(centres, half, lines[own])
    cost = np.abs(own_distance) + 8 * np.abs(spots[:, 0] / area.width - 0.45)  # near, and rather not at either end
    for i, line in enumerate(lines):
        distance = own_distance if i == own else _distance(centres, half, line)
        cost += (150 if i == own else 200) * (distance <= 0)
        if i != own:
            cost += 40 * (distance < own_distance + 4)  # nearer to another curve than to its own
    if len(taken):
        cost += 60 * (_distance(centres, half, taken) <= 0)
    return cost


def _distance(centres: np.ndarray, half: np.ndarray, points: np.ndarray) -> np.ndarray:
    """
    Return the distance from boxes (P, 2) to the nearest of points (N, 2): (P,).

    The larger of x and y distance; <= 0 inside.
    """
    nearest = np.full(len(centres), np.inf)
    for first in range(0, len(points), MAX_POINTS):  # not all at once: P times N may be many
        some = points[first : first + MAX_POINTS]
        x = np.abs(centres[:, :1] - some[:, 0]) - half[0]  # (P, at most MAX_POINTS)
        y = np.abs(centres[:, 1:] - some[:, 1]) - half[1]
        np.minimum(nearest, np.maximum(x, y, out=x).min(axis=1), out=nearest)
    return nearest
