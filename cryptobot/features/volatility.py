"""Volatility: of returns and of ranges. All per candle, none annualised."""

from __future__ import annotations

import numpy as np

from cryptobot.features.bars import Array, Bars
from cryptobot.features.windows import ratio, rolling_mean, rolling_std

_STILL = 1e-3
"""The least ratio told apart, so that a market standing still has a logarithm."""


def realised(bars: Bars, size: int) -> Array:
    """Return the realised volatility: root mean square of log returns."""
    return np.sqrt(rolling_mean(bars.log_return**2, size))


def realised_ratio(bars: Bars, fast: int, slow: int) -> Array:
    """Return the log of recent over longer realised volatility, 0 on a market that stands still."""
    quotient = ratio(realised(bars, fast), realised(bars, slow), where_zero=1.0)
    return np.log(np.maximum(quotient, _STILL))


def average_true_range(bars: Bars, size: int) -> Array:
    """Return the simple average of Wilder's true range, as a fraction of the close."""
    return rolling_mean(bars.true_range, size) / bars.close


def parkinson(bars: Bars, size: int) -> Array:
    """Return Parkinson's estimate from highs and lows."""
    squares = np.log(bars.high / bars.low) ** 2 / (4 * np.log(2))
    return np.sqrt(rolling_mean(squares, size))


def garman_klass(bars: Bars, size: int) -> Array:
    """Return Garman and Klass's estimate from open, high, low and close."""
    ranges = 0.5 * np.log(bars.high / bars.low) ** 2
    bodies = (2 * np.log(2) - 1) * np.log(bars.close / bars.open) ** 2
    return np.sqrt(np.maximum(rolling_mean(ranges - bodies, size), 0))


def bollinger_width(bars: Bars, size: int) -> Array:
    """Return the width of the bands at two deviations, as a fraction of the mean."""
    return 4 * rolling_std(bars.close, size) / rolling_mean(bars.close, size)


def bollinger_position(bars: Bars, size: int) -> Array:
    """Return the close's distance from the mean: -1 on the lower band, 1 on the upper."""
    distance = bars.close - rolling_mean(bars.close, size)
    return ratio(distance, 2 * rolling_std(bars.close, size), where_zero=0.0)


def realised_skew(bars: Bars, size: int) -> Array:
    """Return the realised skewness of log returns, 0 on a market that stands still."""
    cubes = rolling_mean(bars.log_return**3, size)
    return ratio(cubes, realised(bars, size) ** 3, where_zero=0.0)
