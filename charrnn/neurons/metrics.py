"""
How well a unit tells a concept, in numbers: the area under the ROC curve for labels, R² for values.

The area is how often, of one character that has the label and one that has not, the unit says more at the first; 1/2 is
chance, a tie counts half (Hanley and McNeil 1982). R² is that of a straight line from the unit to the value.
"""

import numpy as np


def ranked(values: np.ndarray) -> np.ndarray:
    """The ranks 1 … N within each column of (N, U), ties sharing their mean."""
    order = values.argsort(axis=0)
    ascending = np.take_along_axis(values, order, axis=0)
    places = np.arange(len(values))[:, None]
    differs = ascending[1:] != ascending[:-1]
    border = np.ones((1, values.shape[1]), bool)
    first = np.maximum.accumulate(np.where(np.concatenate([border, differs]), places, 0), axis=0)
    last = np.where(np.concatenate([differs, border]), places, len(values))
    last = np.minimum.accumulate(last[::-1], axis=0)[::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=0)
    return ranks


def areas(ranks: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The area of each unit for each label: `ranked` (N, U), bool (N, C) that are not all the same -> (C, U)."""
    having = labels.sum(axis=0, dtype=float)[:, None]
    above = labels.T.astype(float) @ ranks - having * (having + 1) / 2
    return above / (having * (len(labels) - having))


def lines(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept of each value on each unit, by least squares: x (N, U), y (N, C) -> 2 × (C, U)."""
    x_mean, y_mean = x.mean(axis=0, dtype=float), y.mean(axis=0)
    centred = x - x_mean
    variance = (centred * centred).sum(axis=0)
    products = (y - y_mean).T @ centred
    slope = np.divide(products, variance, out=np.zeros_like(products), where=variance > 0)
    return slope, y_mean[:, None] - slope * x_mean


def r_squared(x: np.ndarray, y: np.ndarray, slope: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    """
    1 − what the lines leave of y over its spread: x (N, U), y (N, C), lines (C, U) -> (C, U).

    Negative for lines that do worse than the mean of y, as lines that were fitted elsewhere may.
    """
    y_mean = y.mean(axis=0)
    centred, x_mean = y - y_mean, x.mean(axis=0, dtype=float)
    x_centred = x - x_mean
    spread = (centred * centred).sum(axis=0)[:, None]
    scatter = spread - 2 * slope * (centred.T @ x_centred) + slope**2 * (x_centred * x_centred).sum(axis=0)
    miss = y_mean[:, None] - intercept - slope * x_mean
    return 1 - (scatter + len(y) * miss**2) / spread
