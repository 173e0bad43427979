"""Columns of candles as exact integers: what both markets produce and everything else reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from cryptobot.market import Interval

Ints = NDArray[np.int64]

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
_MONDAY_MS = 4 * DAY_MS
_OPEN_FIELDS = ("open", "first_trade", "first_agg")
_SUM_FIELDS = ("volume", "quote", "trades", "taker_base", "taker_quote", "aggs")


@dataclass(frozen=True, slots=True)
class Bars:
    """Candles in order of their open time; every column is int64 of the same length.

    Prices are in ticks (10**-price_decimals), base volumes in lots (10**-quantity_decimals),
    quote volumes in 10**-(price_decimals + quantity_decimals), so that a trade's quote volume
    is exactly price * quantity. Times are in ms; ``close_ms`` is inclusive.
    """

    open_ms: Ints
    close_ms: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    quote: Ints
    trades: Ints
    taker_base: Ints
    taker_quote: Ints
    first_trade: Ints
    first_agg: Ints
    aggs: Ints

    def __len__(self) -> int:
        return len(self.open_ms)

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> Bars:
        return Bars(*(column[rows] for column in self.columns()))

    def columns(self) -> Iterator[Ints]:
        """Yield the columns in the order of the fields."""
        return (getattr(self, field.name) for field in fields(self))

    def between(self, start_ms: int, end_ms: int) -> Bars:
        """Return the candles that open in ``[start_ms, end_ms)``."""
        first, last = np.searchsorted(self.open_ms, (start_ms, end_ms))
        return self[first:last]

    def shifted(self, by_ms: int, trades: int = 0, aggs: int = 0) -> Bars:
        """Return the same candles ``by_ms`` later, their ids higher by ``trades`` and ``aggs``."""
        return replace(
            self,
            open_ms=self.open_ms + by_ms,
            close_ms=self.close_ms + by_ms,
            first_trade=self.first_trade + trades,
            first_agg=self.first_agg + aggs,
        )


EMPTY = Bars(*(np.empty(0, np.int64) for _ in fields(Bars)))


def concat(parts: Sequence[Bars]) -> Bars:
    """Return the candles of ``parts`` one after another."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return EMPTY
    return Bars(*(np.concatenate(same) for same in zip(*(part.columns() for part in parts), strict=True)))


def bucket_opens(times_ms: Ints, interval: Interval, zone_ms: int = 0) -> Ints:
    """Return the open time of the ``interval`` candle that holds each of ``times_ms``.

    ``zone_ms`` is the offset of a time zone whose days (hours, months) the candles follow.
    """
    local = times_ms + zone_ms
    if interval is Interval.MONTH_1:
        months = local.astype("datetime64[ms]").astype("datetime64[M]")
        return months.astype("datetime64[ms]").astype(np.int64) - zone_ms
    anchor = _MONDAY_MS if interval is Interval.WEEK_1 else 0
    return local - (local - anchor) % interval.milliseconds - zone_ms


def bucket_open(at_ms: int, interval: Interval, zone_ms: int = 0) -> int:
    """Return the open time of the ``interval`` candle that holds ``at_ms``."""
    return interval.floor(at_ms + zone_ms) - zone_ms


def next_open(open_ms: int, interval: Interval, zone_ms: int = 0) -> int:
    """Return the open time of the candle after the one that opens at ``open_ms``."""
    return interval.following(open_ms + zone_ms) - zone_ms


def grid(interval: Interval, start_ms: int, end_ms: int, zone_ms: int = 0) -> tuple[int, int]:
    """Return the half-open range of whole ``interval`` candles that holds ``[start_ms, end_ms)``."""
    if end_ms <= start_ms:
        return start_ms, start_ms
    last = bucket_open(end_ms - 1, interval, zone_ms)
    return bucket_open(start_ms, interval, zone_ms), next_open(last, interval, zone_ms)


def aggregate(bars: Bars, interval: Interval, zone_ms: int = 0) -> Bars:
    """Return the ``interval`` candles made of finer ``bars``; a bucket without any is left out."""
    if not len(bars):
        return bars
    opens = bucket_opens(bars.open_ms, interval, zone_ms)
    starts = np.flatnonzero(np.diff(opens, prepend=opens[0] - 1))
    if interval is Interval.MONTH_1:
        closes = np.array([next_open(int(at), interval, zone_ms) - 1 for at in opens[starts]], np.int64)
    else:
        closes = opens[starts] + (interval.milliseconds - 1)
    return _reduce(bars, starts, opens[starts], closes)


def merge(bars: Bars) -> Bars:
    """Return one candle made of all ``bars``, of which there is at least one."""
    return _reduce(bars, np.zeros(1, np.int64), bars.open_ms[:1], bars.close_ms[-1:])


def _reduce(bars: Bars, starts: NDArray[np.intp], opens: Ints, closes: Ints) -> Bars:
    ends = np.append(starts[1:], len(bars)) - 1
    return Bars(
        open_ms=opens,
        close_ms=closes,
        high=np.maximum.reduceat(bars.high, starts),
        low=np.minimum.reduceat(bars.low, starts),
        close=bars.close[ends],
        **{name: getattr(bars, name)[starts] for name in _OPEN_FIELDS},
        **{name: np.add.reduceat(getattr(bars, name), starts) for name in _SUM_FIELDS},
    )
