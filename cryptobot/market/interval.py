"""Candle intervals of the exchange and their grids."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from cryptobot.market.instant import from_ms, to_ms

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MONDAY_MS = 4 * 86_400_000  # 1970-01-05, the first Monday after the epoch


class Interval(StrEnum):
    """A kline interval, named as on the wire (case matters: ``1m`` minute, ``1M`` month)."""

    SECOND_1 = "1s"
    MINUTE_1 = "1m"
    MINUTE_3 = "3m"
    MINUTE_5 = "5m"
    MINUTE_15 = "15m"
    MINUTE_30 = "30m"
    HOUR_1 = "1h"
    HOUR_2 = "2h"
    HOUR_4 = "4h"
    HOUR_6 = "6h"
    HOUR_8 = "8h"
    HOUR_12 = "12h"
    DAY_1 = "1d"
    DAY_3 = "3d"
    WEEK_1 = "1w"
    MONTH_1 = "1M"

    @property
    def milliseconds(self) -> int:
        """Nominal length in milliseconds; a month counts as 30 days (use the grid instead)."""
        if self is Interval.MONTH_1:
            return 30 * _UNITS_MS["d"]
        return int(self.value[:-1]) * _UNITS_MS[self.value[-1]]

    def floor(self, at_ms: int) -> int:
        """Return the open time, in ms, of the candle that holds ``at_ms``."""
        if self is Interval.MONTH_1:
            first = from_ms(at_ms).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            return to_ms(first)
        anchor = _MONDAY_MS if self is Interval.WEEK_1 else 0
        return at_ms - (at_ms - anchor) % self.milliseconds

    def ceil(self, at_ms: int) -> int:
        """Return the first open time of the grid, in ms, at or after ``at_ms``."""
        open_ms = self.floor(at_ms)
        return open_ms if open_ms == at_ms else self.following(open_ms)

    def following(self, open_ms: int) -> int:
        """Return the open time, in ms, of the next candle on the grid."""
        if self is Interval.MONTH_1:
            opened = from_ms(open_ms).astimezone(UTC)
            year, month = divmod(opened.year * 12 + opened.month, 12)
            return to_ms(opened.replace(year=year, month=month + 1))
        return open_ms + self.milliseconds

    def place(self, open_ms: int) -> int:
        """Return which candle of the grid opens at ``open_ms``, counted so that places rise by one."""
        if self is Interval.MONTH_1:
            opened = from_ms(open_ms)
            return opened.year * 12 + opened.month - 1
        return (open_ms - (_MONDAY_MS if self is Interval.WEEK_1 else 0)) // self.milliseconds

    def opening(self, place: int) -> int:
        """Return the open time, in ms, of the candle at ``place``, as :meth:`place` counts them."""
        if self is Interval.MONTH_1:
            year, month = divmod(place, 12)
            return to_ms(datetime(year, month + 1, 1, tzinfo=UTC))
        return place * self.milliseconds + (_MONDAY_MS if self is Interval.WEEK_1 else 0)

    def candles_between(self, start_ms: int, end_ms: int) -> int:
        """Return how many candles open on the grid in ``[start_ms, end_ms)``."""
        first = self.ceil(start_ms)
        if self is not Interval.MONTH_1:
            return max(0, -(-(end_ms - first) // self.milliseconds))
        found = 0
        while first < end_ms:
            found += 1
            first = self.following(first)
        return found
