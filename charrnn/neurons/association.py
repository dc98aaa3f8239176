"""
Association of a unit with a concept: ROC AUC for labels, R² for values.

AUC: the probability that the unit is larger at a character with the label than at one without it; 1/2 is chance, ties
count half (Hanley and McNeil 1982). R²: of the least-squares line from unit to value.
"""

import numpy as np


def rank_order(values: np.ndarray) -> np.ndarray:
    """Return ranks 1 … N within each column of (N, U); ties share their mean."""
    order = values.argsort(axis=0)
    ascending = np.take_along_axis(values, order, axis=0)
    positions = np.arange(len(values))[:, None]
    differs = ascending[1:] != ascending[:-1]
    border = np.ones((1, values.shape[1]), bool)
    first = np.maximum.accumulate(np.where(np.concatenate([border, differs]), positions, 0), axis=0)
    last = np.where(np.concatenate([differs, border]), positions, len(values))
    last = np.minimum.accumulate(last[::-1], axis=0)[::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=0)
    return ranks


def roc_auc(ranks: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """
    Return the AUC of each unit for each label: (C, U).

    ranks: `rank_order` (N, U); labels: bool (N, C), not constant.
    """
    positives = labels.sum(axis=0, dtype=float)[:, None]
    wins = labels.T.astype(float) @ ranks - positives * (positives + 1) / 2
    return wins / (positives * (len(labels) - positives))


def resampled_auc(values: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """
    Return the AUC of a unit in each resample, (R,); NaN without both labels.

    values (N,), labels bool (N,), counts (R, N): how often each character was drawn.
    """
    order = values.argsort()
    ascending, drawn = values[order], counts[:, order]
    first, last = (np.searchsorted(ascending, ascending, side) for side in ("left", "right"))  # of each tie
    others = np.concatenate([np.zeros((len(counts), 1)), (drawn * ~labels[order]).cumsum(axis=1)], axis=1)  # (R, N + 1)
    positives = drawn * labels[order]
    wins = (positives * (others[:, first] + others[:, last]) / 2).sum(axis=1)
    pairs = positives.sum(axis=1) * others[:, -1]
    return np.divide(wins, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)


def resampled_r_squared(y: np.ndarray, predicted: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return R² of predictions of y by resample: (N,), (N,), counts (R, N) -> (R,)."""
    size = counts.sum(axis=1)
    total = counts @ y**2 - (counts @ y) ** 2 / size
    return 1 - np.divide(counts @ (y - predicted) ** 2, total, out=np.full(len(size), np.nan), where=total > 0)


def least_squares(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return slope and intercept of each value on each unit, (C, U) each.

    x (N, U), y (N, C).
    """
    x_mean, y_mean = x.mean(axis=0, dtype=float), y.mean(axis=0)
    centered = x - x_mean
    variance = (centered * centered).sum(axis=0)
    products = (y - y_mean).T @ centered
    slope = np.divide(products, variance, out=np.zeros_like(products), where=variance > 0)
    return slope, y_mean[:, None] - slope * x_mean


def r_squared(x: np.ndarray, y: np.ndarray, slope: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    """
    Return R² of given lines: x (N, U), y (N, C), lines (C, U) -> (C, U).

    Negative if a line fits worse than the mean of y, possible for lines fitted on other data.
    """
    y_mean = y.mean(axis=0)
    centered, x_mean = y - y_mean, x.mean(axis=0, dtype=float)
    x_centered = x - x_mean
    total = (centered * centered).sum(axis=0)[:, None]
    residual = total - 2 * slope * (centered.T @ x_centered) + slope**2 * (x_centered * x_centered).sum(axis=0)
    offset = y_mean[:, None] - intercept - slope * x_mean
    return 1 - (residual + len(y) * offset**2) / total
