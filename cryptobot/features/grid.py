"""The grid of open times: where candles follow each other, and where there is a hole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryptobot.market.interval import Interval


def open_times_ms(candles: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the open times in milliseconds since the epoch."""
    return candles["open_time"].to_numpy(dtype="datetime64[ms]").astype(np.int64)


def follows(open_ms: npt.NDArray[np.int64], interval: Interval) -> npt.NDArray[np.bool_]:
    """Tell of each candle whether it comes right after the one before it; the first does not."""
    result = np.zeros(len(open_ms), dtype=bool)
    if interval is Interval.MONTH_1:
        expected = [interval.following(int(at)) for at in open_ms[:-1]]
        result[1:] = open_ms[1:] == np.array(expected, dtype=np.int64)
    else:
        result[1:] = np.diff(open_ms) == interval.milliseconds
    return result
