"""Rolling windows, each summed on its own.

Running sums would be quicker on long histories, but carry the rounding of all that came
before: the same candle would then differ between a batch and a live computation.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cryptobot.features.bars import Array


def _windows(values: Array, size: int) -> Array:
    return sliding_window_view(values, size)


def _padded(values: Array, rows: int) -> Array:
    result = np.full(rows, np.nan)
    if len(values):
        result[rows - len(values) :] = values
    return result


def rolling_mean(values: Array, size: int) -> Array:
    """Return the mean of the last ``size`` values."""
    if len(values) < size:
        return np.full(len(values), np.nan)
    return _padded(_windows(values, size).mean(axis=1), len(values))


def rolling_std(values: Array, size: int) -> Array:
    """Return the population standard deviation of the last ``size`` values, in two passes."""
    if len(values) < size:
        return np.full(len(values), np.nan)
    return _padded(_windows(values, size).std(axis=1), len(values))


def rolling_max(values: Array, size: int) -> Array:
    """Return the greatest of the last ``size`` values."""
    if len(values) < size:
        return np.full(len(values), np.nan)
    return _padded(_windows(values, size).max(axis=1), len(values))


def rolling_min(values: Array, size: int) -> Array:
    """Return the least of the last ``size`` values."""
    return -rolling_max(-values, size)


def rolling_dot(values: Array, weights: Array) -> Array:
    """Return the last ``len(weights)`` values weighted, the newest by the last weight."""
    if len(values) < len(weights):
        return np.full(len(values), np.nan)
    return _padded(_windows(values, len(weights)) @ weights, len(values))


def rolling_correlation(left: Array, right: Array, size: int) -> Array:
    """Return Pearson's correlation over the last ``size`` pairs, 0 where one side is constant."""
    if len(left) < size:
        return np.full(len(left), np.nan)
    a, b = _windows(left, size), _windows(right, size)
    a = a - a.mean(axis=1, keepdims=True)
    b = b - b.mean(axis=1, keepdims=True)
    covariance = (a * b).sum(axis=1)
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return _padded(ratio(covariance, scale, where_zero=0.0), len(left))


def slope_weights(size: int) -> Array:
    """Return the weights that give a least-squares slope per row over ``size`` rows."""
    centred = np.arange(size) - (size - 1) / 2
    return np.asarray(centred / (centred @ centred), dtype=np.float64)


def ratio(numerator: Array, denominator: Array, where_zero: float) -> Array:
    """Return the quotient, and ``where_zero`` where the denominator is zero (NaN stays NaN)."""
    zero = denominator == 0
    quotient = numerator / np.where(zero, 1.0, denominator)
    return np.where(zero, where_zero, quotient)
