"""Returns, momentum and trend."""

from __future__ import annotations

import numpy as np
import talib

from cryptobot.features.bars import Array, Bars, lagged_difference
from cryptobot.features.windows import (
    ratio,
    rolling_dot,
    rolling_max,
    rolling_mean,
    rolling_min,
    rolling_std,
    slope_weights,
)


def log_return(bars: Bars, size: int) -> Array:
    """Return the log return over ``size`` candles."""
    return lagged_difference(bars.log_close, size)


def distance_to_mean(bars: Bars, size: int) -> Array:
    """Return how far the close stands from its simple moving average, as a fraction of it."""
    return bars.close / rolling_mean(bars.close, size) - 1


def percentage_price_oscillator(bars: Bars, fast: int, slow: int) -> Array:
    """Return the gap between a fast and a slow simple moving average, as a fraction of the slow."""
    return rolling_mean(bars.close, fast) / rolling_mean(bars.close, slow) - 1


def trend_strength(bars: Bars, size: int) -> Array:
    """Return the regression slope of the log close in units of the candle's volatility."""
    slope = rolling_dot(bars.log_close, slope_weights(size))
    return ratio(slope, rolling_std(bars.log_return, size), where_zero=0.0)


def relative_strength(bars: Bars, size: int) -> Array:
    """Return Cutler's RSI (simple averages of gains and losses), from -1 to 1."""
    gains = rolling_mean(np.maximum(bars.log_return, 0), size)
    losses = rolling_mean(np.maximum(-bars.log_return, 0), size)
    return ratio(gains - losses, gains + losses, where_zero=0.0)


def channel_position(bars: Bars, size: int) -> Array:
    """Return where the close lies between the lowest low (0) and the highest high (1)."""
    low, high = rolling_min(bars.low, size), rolling_max(bars.high, size)
    return ratio(bars.close - low, high - low, where_zero=0.5)


def commodity_channel(bars: Bars, size: int) -> Array:
    """Return Lambert's CCI over 100."""
    return np.asarray(talib.CCI(bars.high, bars.low, bars.close, size)) / 100


def aroon(bars: Bars, size: int) -> Array:
    """Return the Aroon oscillator, from -1 to 1."""
    return np.asarray(talib.AROONOSC(bars.high, bars.low, size)) / 100


def ultimate_oscillator(bars: Bars) -> Array:
    """Return Williams's ultimate oscillator (7, 14, 28 candles), from 0 to 1."""
    return np.asarray(talib.ULTOSC(bars.high, bars.low, bars.close, 7, 14, 28)) / 100


def balance_of_power(bars: Bars) -> Array:
    """Return Livshin's balance of power: the body as a signed fraction of the range."""
    return np.asarray(talib.BOP(bars.open, bars.high, bars.low, bars.close))


def efficiency(bars: Bars, size: int) -> Array:
    """Return Kaufman's efficiency ratio with its sign: net move over the path walked."""
    path = rolling_mean(np.abs(bars.log_return), size) * size
    return ratio(log_return(bars, size), path, where_zero=0.0)
