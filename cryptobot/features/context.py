"""What surrounds a candle: the calendar and the other pair."""

from __future__ import annotations

import numpy as np

from cryptobot.features.bars import Array, Bars, lagged_difference
from cryptobot.features.windows import rolling_correlation

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
_MONDAY_MS = 4 * DAY_MS  # 1970-01-05


def hour_angle(bars: Bars) -> Array:
    """Return the open time's place in the UTC day, in radians."""
    return 2 * np.pi * (bars.open_ms % DAY_MS) / DAY_MS


def week_angle(bars: Bars) -> Array:
    """Return the open time's place in the UTC week (from Monday), in radians."""
    return 2 * np.pi * ((bars.open_ms - _MONDAY_MS) % WEEK_MS) / WEEK_MS


def other_return(bars: Bars, size: int) -> Array:
    """Return the other pair's log return over ``size`` candles; 0 where there is no other pair."""
    return lagged_difference(bars.other_log_close, size)


def relative_return(bars: Bars, size: int) -> Array:
    """Return this pair's log return less the other's; 0 where there is no other pair."""
    if bars.other_close is None:
        return np.zeros_like(bars.close)
    return lagged_difference(bars.log_close, size) - other_return(bars, size)


def pair_correlation(bars: Bars, size: int) -> Array:
    """Return the correlation of the two pairs' log returns; 0 where there is no other pair."""
    return rolling_correlation(bars.log_return, other_return(bars, 1), size)
