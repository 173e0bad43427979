"""What a capital of one became, thinned to what a chart can show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

POINTS = 500


@dataclass(frozen=True)
class Curves:
    """Capital over time, net of costs: of the strategy, and of who bought and held.

    ``open_time`` is that of the candle whose signal was followed.
    """

    open_time: tuple[datetime, ...]
    strategy: tuple[float, ...]
    buy_and_hold: tuple[float, ...]

    def document(self) -> dict[str, list[datetime] | list[float]]:
        """Return the columns by name."""
        return {
            "open_time": list(self.open_time),
            "strategy": list(self.strategy),
            "buy_and_hold": list(self.buy_and_hold),
        }


def curves(open_time: pd.DatetimeIndex, strategy: Floats, buy_and_hold: Floats) -> Curves:
    """Return the capital after each of at most :data:`POINTS` candles, the first and the last among them.

    ``strategy`` and ``buy_and_hold`` are net returns, one a candle.
    """
    count = len(open_time)
    at = np.unique(np.linspace(0, count - 1, min(count, POINTS)).round().astype(np.int64))
    times = tuple(moment.to_pydatetime() for moment in open_time[at])
    own, held = (np.cumprod(1 + returns)[at] for returns in (strategy, buy_and_hold))
    return Curves(times, tuple(map(float, own)), tuple(map(float, held)))
