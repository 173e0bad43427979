"""The last closed candle with its features, computed from the candles themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pymongo.database import Database

from cryptobot.features import FEATURE_SET, compute
from cryptobot.market import Interval
from cryptobot.serving.manifest import Manifest
from cryptobot.storage.candle_pages import last_candles

_LAG_CANDLES = 2
"""The other pair's candle may arrive a little later: then the candle before is the last complete one."""


class NoCompleteCandleError(RuntimeError):
    """There is no recent candle whose features are complete; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class LatestCandle:
    """A closed candle and its features, float32 of shape ``(1, features)``."""

    open_time: datetime
    close_time: datetime
    close: float
    row: npt.NDArray[np.float32]


def latest_candle(database: Database[dict[str, Any]], manifest: Manifest) -> LatestCandle:
    """Return the newest closed candle of the model's symbol that the model can score.

    Raises
    ------
    NoCompleteCandleError
        Too few candles, a gap among them, or the other pair's are missing.
    """
    symbol, interval = manifest.symbol, Interval(manifest.interval)
    count = FEATURE_SET.warm_up + 1 + _LAG_CANDLES
    found = last_candles(database, symbol, interval.value, count)
    if not found:
        raise NoCompleteCandleError(f"no {interval} candle of {symbol} is stored; run the main job")
    candles = pd.DataFrame(found)
    other = None
    if manifest.other_symbol:
        beside = last_candles(database, manifest.other_symbol, interval.value, count)
        other = pd.DataFrame(beside, columns=["open_time", "close"])
    features = compute(candles, other, interval)
    complete = features.tail(1 + _LAG_CANDLES).dropna()
    if complete.empty:
        missing = features.columns[features.iloc[-1].isna()][0]
        raise NoCompleteCandleError(
            f"the last {interval} candles of {symbol} cannot be scored: {missing} is missing "
            f"({len(found)} candles, or a gap among the last {FEATURE_SET.warm_up + 1} of "
            f"{symbol} or {manifest.other_symbol})"
        )
    candle = found[int(complete.index[-1])]
    return LatestCandle(
        open_time=candle["open_time"],
        close_time=candle["close_time"],
        close=candle["close"],
        row=complete.tail(1).to_numpy(np.float32),
    )
