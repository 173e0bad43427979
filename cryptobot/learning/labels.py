"""Triple-barrier labels, and how much of each label's time is its own.

López de Prado (2018), *Advances in Financial Machine Learning*, chapters 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from cryptobot.features.grid import follows, open_times_ms
from cryptobot.learning.signal import BUY, HOLD, SELL
from cryptobot.market.interval import Interval

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Barriers:
    """Where a label's barriers stand: ``width`` volatilities over the square root of ``horizon``.

    A driftless walk touches neither barrier about one time in three, so that the classes are
    about equally frequent.
    """

    horizon: int = 16
    width: float = 1.0
    volatility_span: int = 96


@dataclass(frozen=True)
class Labels:
    """Labels of the candles that can have one, by their row in the candles' frame.

    ``end`` is the row of the candle at whose close the label is known.
    """

    row: Integers
    label: Integers
    end: Integers

    def __len__(self) -> int:
        return len(self.row)


def triple_barrier(candles: pd.DataFrame, interval: Interval, barriers: Barriers = Barriers()) -> Labels:
    """Return sell, hold or buy for each candle, by what the following ``horizon`` candles touch first.

    The barriers stand around the candle's close at equal log distances. Buy: a high touches the
    upper one first; sell: a low touches the lower one first; hold: neither, or both within one
    candle, whose order is unknown. A candle has no label when its volatility is not known, or
    when its horizon is not whole: at the end of the history, and before a gap in the grid.
    """
    log_close, high, low = (np.log(candles[name].to_numpy(np.float64)) for name in ("close", "high", "low"))
    horizon, span = barriers.horizon, barriers.volatility_span
    count = len(candles) - horizon - span
    if count <= 0:
        return Labels(*(np.empty(0, dtype=np.int64) for _ in range(3)))
    rows = np.arange(span, span + count)
    returns = np.diff(log_close)
    volatility = np.sqrt((sliding_window_view(returns, span)[:count] ** 2).mean(axis=1))
    distance = (barriers.width * np.sqrt(horizon) * volatility)[:, None]
    ahead = sliding_window_view(high, horizon)[rows + 1] - log_close[rows, None] >= distance
    below = log_close[rows, None] - sliding_window_view(low, horizon)[rows + 1] >= distance
    touched = ahead | below
    first = np.where(touched.any(axis=1), touched.argmax(axis=1), horizon - 1)
    up, down = (side[np.arange(count), first] for side in (ahead, below))
    label = np.where(up & ~down, BUY, np.where(down & ~up, SELL, HOLD)).astype(np.int64)
    holes = np.cumsum(~follows(open_times_ms(candles), interval))
    whole = (holes[rows + horizon] == holes[rows - span]) & (volatility > 0)
    return Labels(rows[whole], label[whole], (rows + 1 + first)[whole])


def uniqueness(labels: Labels) -> Floats:
    """Return each label's average uniqueness: the mean, over its candles, of one over the labels alive."""
    if not len(labels):
        return np.empty(0)
    size = int(labels.end.max()) + 2
    change = np.zeros(size)
    np.add.at(change, labels.row + 1, 1)
    np.add.at(change, labels.end + 1, -1)
    alive = np.cumsum(change)
    share = np.concatenate([[0.0], np.cumsum(np.divide(1, alive, out=np.zeros(size), where=alive > 0))])
    return np.asarray((share[labels.end + 1] - share[labels.row + 1]) / (labels.end - labels.row))
