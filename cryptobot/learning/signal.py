"""From probabilities to a signal: one rule, in the backtest and in serving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CLASSES = ("sell", "hold", "buy")
SELL, HOLD, BUY = range(3)


@dataclass(frozen=True)
class Thresholds:
    """The least probability at which a candle is called a buy or a sell."""

    buy: float
    sell: float


def signals(probabilities: npt.NDArray[np.floating], thresholds: Thresholds) -> npt.NDArray[np.int64]:
    """Return the signal of each row as an index into :data:`CLASSES`.

    Buy (sell) where its probability reaches the threshold and exceeds the opposite's; else hold.
    """
    sell, buy = probabilities[:, SELL], probabilities[:, BUY]
    result = np.full(len(probabilities), HOLD, dtype=np.int64)
    result[(buy >= thresholds.buy) & (buy > sell)] = BUY
    result[(sell >= thresholds.sell) & (sell > buy)] = SELL
    return result
