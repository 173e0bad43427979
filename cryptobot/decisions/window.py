"""The last closed candles of a symbol in memory: what live features are computed from."""

from __future__ import annotations

from bisect import bisect_right, insort

import numpy as np
import pandas as pd

from cryptobot.features.computation import CANDLE_COLUMNS
from cryptobot.market.instant import to_ms
from cryptobot.market.interval import Interval
from cryptobot.storage.database import Document


class CandleWindow:
    """At most ``capacity`` closed candles of one symbol and interval, the newest, by open time."""

    def __init__(self, interval: Interval, capacity: int) -> None:
        self._interval = interval
        self._capacity = capacity
        self._candles: dict[int, Document] = {}
        self._opened: list[int] = []

    def add(self, candle: Document) -> bool:
        """Keep a candle (``open_time``, ``close`` and what features read); false where nothing changes.

        That is so for one that is here already, which stays as it is, and for one older than a full
        window.
        """
        opened = to_ms(candle["open_time"])
        full = len(self._opened) >= self._capacity
        if opened in self._candles or (full and opened < self._opened[0]):
            return False
        if full:
            del self._candles[self._opened.pop(0)]
        self._candles[opened] = candle
        insort(self._opened, opened)
        return True

    def get(self, open_ms: int) -> Document | None:
        """Return the candle that opens then."""
        return self._candles.get(open_ms)

    @property
    def newest(self) -> int | None:
        """Open time in ms of the newest candle."""
        return self._opened[-1] if self._opened else None

    def frame(self, open_ms: int, count: int) -> pd.DataFrame:
        """Return the last ``count`` candles up to ``open_ms`` in rising order, as features read them."""
        end = bisect_right(self._opened, open_ms)
        opened = self._opened[max(0, end - count) : end]
        found = [self._candles[each] for each in opened]
        times = pd.to_datetime(np.array(opened, dtype=np.int64), unit="ms", utc=True)
        values = {name: [candle[name] for candle in found] for name in CANDLE_COLUMNS}
        return pd.DataFrame({"open_time": times, **values})

    def missing(self, open_ms: int, count: int) -> list[int]:
        """Return the open times, up to ``open_ms``, that the last ``count`` of the grid lack here."""
        end = bisect_right(self._opened, open_ms)
        span = (count - 1) * self._interval.milliseconds
        if end >= count and self._opened[end - 1] == open_ms == self._opened[end - count] + span:
            return []  # as nearly always: so many candles fill so long a stretch
        lacking = []
        for _ in range(count):
            if open_ms not in self._candles:
                lacking.append(open_ms)
            open_ms = self._interval.floor(open_ms - 1)
        return lacking
