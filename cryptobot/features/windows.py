"""Rolling windows, each summed on its own.

Running sums would be quicker on long histories, but carry the rounding of all that came
before: the same candle would then differ between a batch and a live computation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cryptobot.features.bars import Array


def rolling_mean(values: Array, size: int) -> Array:
    """Return the mean of the last ``size`` values."""
    return _over(values, size, lambda windows: windows.mean(axis=1))


def rolling_std(values: Array, size: int) -> Array:
    """Return the population standard deviation of the last ``size`` values.

    In two passes, and exactly 0 where all are equal: rounding would look like a little movement.
    """
    return _over(
        values,
        size,
        lambda windows: np.where(windows.max(axis=1) == windows.min(axis=1), 0.0, windows.std(axis=1)),
    )


def rolling_max(values: Array, size: int) -> Array:
    """Return the greatest of the last ``size`` values."""
    return _over(values, size, lambda windows: windows.max(axis=1))


def rolling_min(values: Array, size: int) -> Array:
    """Return the least of the last ``size`` values."""
    return _over(values, size, lambda windows: windows.min(axis=1))


def rolling_dot(values: Array, weights: Array) -> Array:
    """Return the last ``len(weights)`` values weighted, the newest by the last weight."""
    return _over(values, len(weights), lambda windows: windows @ weights)


def rolling_correlation(left: Array, right: Array, size: int) -> Array:
    """Return Pearson's correlation over the last ``size`` pairs, 0 where one side is constant."""
    if len(left) < size:
        return np.full(len(left), np.nan)
    other = sliding_window_view(right, size)
    other = other - other.mean(axis=1, keepdims=True)

    def with_other(windows: Array) -> Array:
        own = windows - windows.mean(axis=1, keepdims=True)
        scale = np.sqrt((own * own).sum(axis=1) * (other * other).sum(axis=1))
        return ratio((own * other).sum(axis=1), scale, where_zero=0.0)

    return _over(left, size, with_other)


def slope_weights(size: int) -> Array:
    """Return the weights that give a least-squares slope per row over ``size`` rows."""
    centred = np.arange(size) - (size - 1) / 2
    return np.asarray(centred / (centred @ centred), dtype=np.float64)


def ratio(numerator: Array, denominator: Array, where_zero: float) -> Array:
    """Return the quotient, and ``where_zero`` where the denominator is zero (NaN stays NaN)."""
    zero = denominator == 0
    quotient = numerator / np.where(zero, 1.0, denominator)
    return np.where(zero, where_zero, quotient)


def _over(values: Array, size: int, reduce: Callable[[Array], Array]) -> Array:
    """Return ``reduce`` of each window of ``size`` values, at its last; NaN before the first."""
    result = np.full(len(values), np.nan)
    if len(values) >= size:
        result[size - 1 :] = reduce(sliding_window_view(values, size))
    return result
