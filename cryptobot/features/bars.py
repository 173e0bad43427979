"""Candles as arrays: what every formula reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bars:
    """Candles in time order, one array a field; prices in quote units, volumes in base units.

    ``other_close`` is the other pair's close at the same open times, NaN where it has no
    candle, and ``None`` where no other pair is followed.
    """

    open_ms: npt.NDArray[np.int64]
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    quote_volume: Array
    trades: Array
    taker_buy_base: Array
    other_close: Array | None

    @cached_property
    def log_close(self) -> Array:
        """Natural logarithm of the close."""
        return np.log(self.close)

    @cached_property
    def log_return(self) -> Array:
        """Log return from the candle before; the first is NaN."""
        return lagged_difference(self.log_close, 1)

    @cached_property
    def other_log_close(self) -> Array:
        """Natural logarithm of the other pair's close; constant where there is no other pair."""
        return np.zeros_like(self.close) if self.other_close is None else np.log(self.other_close)

    @cached_property
    def true_range(self) -> Array:
        """Wilder's true range; the first is NaN."""
        before = lagged(self.close, 1)
        return np.maximum(self.high, before) - np.minimum(self.low, before)


def lagged(values: Array, lag: int) -> Array:
    """Return ``values`` of ``lag`` rows before; the first ``lag`` are NaN."""
    result = np.full(len(values), np.nan)
    result[lag:] = values[: max(0, len(values) - lag)]
    return result


def lagged_difference(values: Array, lag: int) -> Array:
    """Return each value less the one of ``lag`` rows before; the first ``lag`` are NaN."""
    return values - lagged(values, lag)
