"""Transaction volume: how much is traded, by whom, at what price, and how deep the market is."""

from __future__ import annotations

import numpy as np

from cryptobot.features.bars import Array, Bars, lagged_difference
from cryptobot.features.windows import ratio, rolling_dot, rolling_mean, rolling_std, slope_weights


def volume_z_score(bars: Bars, size: int) -> Array:
    """Return the z-score of the log of the quote volume."""
    logs = np.log1p(bars.quote_volume)
    return ratio(logs - rolling_mean(logs, size), rolling_std(logs, size), where_zero=0.0)


def volume_trend(bars: Bars, fast: int, slow: int) -> Array:
    """Return the log of recent over longer mean volume (both plus one unit of quote)."""
    recent = rolling_mean(bars.quote_volume, fast)
    longer = rolling_mean(bars.quote_volume, slow)
    return np.log((recent + 1) / (longer + 1))


def taker_buy_share(bars: Bars, size: int) -> Array:
    """Return the share of the volume that takers bought, less one half; 0 without volume."""
    bought = rolling_mean(bars.taker_buy_base, size)
    return ratio(bought, rolling_mean(bars.volume, size), where_zero=0.5) - 0.5


def vwap_distance(bars: Bars, size: int) -> Array:
    """Return the close over the volume-weighted average price, less one; 0 without volume."""
    quote, base = rolling_mean(bars.quote_volume, size), rolling_mean(bars.volume, size)
    return ratio(bars.close * base, quote, where_zero=1.0) - 1


def on_balance_slope(bars: Bars, size: int) -> Array:
    """Return the regression slope of Granville's on-balance volume, in mean volumes a candle.

    The slope of a running total is a weighted sum of what was added within the window: the
    total's starting point cancels out, and with it the window's first volume.
    """
    signed = np.sign(bars.log_return) * bars.volume
    weights = np.cumsum(slope_weights(size)[::-1])[-2::-1]
    return ratio(rolling_dot(signed, weights), rolling_mean(bars.volume, size), where_zero=0.0)


def illiquidity_trend(bars: Bars, fast: int, slow: int) -> Array:
    """Return the log of recent over longer illiquidity (Amihud: absolute return a unit of quote).

    Candles without volume count as no illiquidity; a market that stands still gives 0.
    """
    impact = ratio(np.abs(bars.log_return), bars.quote_volume, where_zero=0.0)
    recent, longer = rolling_mean(impact, fast), rolling_mean(impact, slow)
    return np.log(ratio(recent, longer, where_zero=1.0) + 1e-3)


def trade_size(bars: Bars, size: int) -> Array:
    """Return the log of this candle's mean trade over that of the last ``size`` candles."""
    mean_trade = ratio(bars.quote_volume, bars.trades, where_zero=0.0)
    return np.log((mean_trade + 1) / (rolling_mean(mean_trade, size) + 1))


def money_flow(bars: Bars, size: int) -> Array:
    """Return the balance of the money flow (Quong and Soudack's MFI), from -1 to 1."""
    typical = (bars.high + bars.low + bars.close) / 3
    flow = np.sign(lagged_difference(typical, 1)) * bars.quote_volume
    return ratio(rolling_mean(flow, size), rolling_mean(np.abs(flow), size), where_zero=0.0)
