"""``/api/v3/klines``: one page of candles, rendered."""

from __future__ import annotations

import numpy as np

from cryptobot.market import Interval
from infra.exchange.asked import Asked
from infra.exchange.bars import DAY_MS, Bars, bucket_open, concat
from infra.exchange.history import kline_rows
from infra.exchange.present import Present

PARAMETERS = frozenset({"symbol", "interval", "startTime", "endTime", "timeZone", "limit"})

_HOLE_STRIDE = 4
"""By how much the next look reaches further when there was nothing: a record may have holes of years."""


def page(asked: Asked) -> bytes:
    """Return the body: the rows that are asked for, oldest first.

    ``startTime`` and ``endTime`` are inclusive and compared with open times. Without
    ``startTime`` the newest rows are answered, otherwise the oldest from there on.
    """
    query, present, now_ms = asked.query, asked.present, asked.now_ms
    symbol, interval = asked.symbol, query.interval()
    limit, zone_ms = query.limit(500, 1000), query.zone_ms()
    start, last = query.time_ms("startTime", up=True), query.time_ms("endTime")
    end = now_ms + 1 if last is None else min(last, now_ms) + 1
    if not present.market.serves(symbol, interval):
        return b"[]"
    if start is None:
        bars = newest(present, symbol, interval, end, limit, now_ms, zone_ms)
    else:
        start = max(start, bucket_open(present.market.first_open(symbol), interval, zone_ms))
        if interval is Interval.MINUTE_1 and asked.scale == 1 and not zone_ms:
            return _minutes(present, symbol, start, end, limit, now_ms)
        bars = oldest(present, symbol, interval, start, end, limit, now_ms, zone_ms)
    return b"[" + kline_rows(bars, asked.instrument, asked.scale).data[:-1] + b"]"


def oldest(
    present: Present,
    symbol: str,
    interval: Interval,
    start_ms: int,
    end_ms: int,
    limit: int,
    now_ms: int,
    zone_ms: int,
) -> Bars:
    """Return the first ``limit`` candles that open in ``[start_ms, end_ms)``."""
    stop = present.market.end(symbol)
    end_ms = end_ms if stop is None else min(end_ms, stop)
    parts, found, at, stride = [], 0, start_ms, limit
    while found < limit and at < end_ms:
        until = min(end_ms, at + stride * interval.milliseconds)
        part = present.candles(symbol, interval, at, until, now_ms, zone_ms).between(at, until)
        at = until
        if len(part):
            parts.append(part)
            found, stride = found + len(part), limit
        else:
            stride *= _HOLE_STRIDE
    return concat(parts)[:limit]


def newest(
    present: Present, symbol: str, interval: Interval, end_ms: int, limit: int, now_ms: int, zone_ms: int
) -> Bars:
    """Return the last ``limit`` candles that open before ``end_ms``."""
    first = present.market.first_open(symbol)
    stop = present.market.end(symbol)
    at = end_ms if stop is None else min(end_ms, stop + 1)
    parts: list[Bars] = []
    found, stride = 0, limit
    while found < limit and at > first - 32 * DAY_MS:
        since = at - stride * interval.milliseconds
        part = present.candles(symbol, interval, since, at, now_ms, zone_ms).between(since, at)
        at = since
        if len(part):
            parts.insert(0, part)
            found, stride = found + len(part), limit
        else:
            stride *= _HOLE_STRIDE
    return concat(parts)[-limit:]


def _minutes(present: Present, symbol: str, start_ms: int, end_ms: int, limit: int, now_ms: int) -> bytes:
    """Return a page of minutes from rows that were rendered a day at a time."""
    history, opened = present.history, bucket_open(now_ms, Interval.MINUTE_1)
    pieces, left, day = [], limit, start_ms // DAY_MS
    stop = present.market.end(symbol)
    closed_end = min(end_ms, opened if stop is None else min(opened, stop))
    while left and day * DAY_MS < closed_end:
        minutes = history.minutes(symbol, day)
        first, last = (int(row) for row in np.searchsorted(minutes.open_ms, (start_ms, closed_end)))
        last = min(last, first + left)
        if last > first:
            pieces.append(minutes.rows.slice(first, last))
            left -= last - first
        day += 1
    if left and start_ms <= opened < end_ms:
        running = present.open_candle(symbol, Interval.MINUTE_1, now_ms)
        pieces.append(kline_rows(running, present.instrument(symbol)).data)
    return b"[" + b"".join(pieces)[:-1] + b"]"
