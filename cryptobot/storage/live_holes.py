"""Holes in what arrived live, found in ``streaming_data`` itself: trade ids that are not there, and
candles that have closed.

Trades and candles that never came leave a trace: ids rise by one, and candles lie on a grid. A bounded
stretch behind the newest is looked at, by counting in the indexes; only where a count is short are ids
or open times read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from cryptobot.market import Interval, Span
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.storage.collections import GAPS, STREAMING_DATA
from cryptobot.storage.database import Document
from cryptobot.storage.gaps import ABSENT, find_gaps

MOST_IDS = 500_000
"""Ids of a symbol behind its newest trade that are looked at, at most."""

REPLAYED_AFTER = timedelta(days=1)
"""An event that came so long after it happened is of a replay, which jumps back to its beginning: there a
missing id says nothing."""

_READ_AT_ONCE = 2_048
_ROUGHLY = 512
"""How exactly, in ids, the start and the end of a window are found."""


class TradeRange(NamedTuple):
    """Trade ids of a symbol, both ends inclusive."""

    symbol: str
    first_id: int
    last_id: int

    @property
    def size(self) -> int:
        """How many ids these are."""
        return self.last_id - self.first_id + 1


def trade_window(
    database: Database[Document], symbol: str, reach: timedelta, settled_before: datetime
) -> TradeRange | None:
    """Return the ids of the stored trades of the last ``reach``, back from the newest.

    It ends with what was received before ``settled_before``, so that nothing is called missing that is
    still on its way, and begins where something is stored before it, so that a hole at its start is seen.
    ``None`` without such trades, and in a replay of old ones.
    """
    newest = _trade(database, symbol, {}, DESCENDING)
    if newest is None:
        return None
    lowest = newest["trade_id"] - MOST_IDS
    travelled = newest["received_at"] - newest["event_time"]
    if travelled > REPLAYED_AFTER:
        return None
    last = _first_at(database, symbol, settled_before - travelled, lowest, newest["trade_id"] + 1) - 1
    first = _first_at(database, symbol, newest["event_time"] - reach, lowest, newest["trade_id"])
    before = _trade(database, symbol, {"$lt": first}, DESCENDING)
    if before is not None:
        first = max(before["trade_id"] + 1, lowest)
    else:
        stored = _trade(database, symbol, {"$gte": first}, ASCENDING)
        first = stored["trade_id"] if stored else first
    return TradeRange(symbol, first, last) if first <= last else None


def missing_trades(database: Database[Document], among: TradeRange) -> list[TradeRange]:
    """Return which ids are not stored, in order; those that the exchange does not have are left out."""
    absent = [(gap["first_id"], gap["last_id"]) for gap in _absent_trades(database, among)]
    return [part for hole in _joined(_short(database, among)) for part in _without(hole, absent)]


def traded_before(database: Database[Document], hole: TradeRange) -> datetime | None:
    """Return the time of the stored trade before a hole, if there is one."""
    trade = _trade(database, hole.symbol, {"$lt": hole.first_id}, DESCENDING)
    return trade["event_time"] if trade else None


def traded_after(database: Database[Document], hole: TradeRange) -> datetime | None:
    """Return the time of the stored trade after a hole, if there is one."""
    trade = _trade(database, hole.symbol, {"$gt": hole.last_id}, ASCENDING)
    return trade["event_time"] if trade else None


def kline_spans(
    database: Database[Document],
    symbol: str,
    intervals: Iterable[str],
    reach: timedelta,
    closed_by: datetime,
) -> list[Span]:
    """Return, by interval, the range in which each candle must be stored: since the feed began.

    ``closed_by`` is the instant, by the exchange's clock, up to which closed candles must have come; it
    is not looked further back than ``reach``. Nothing in a replay of old candles.
    """
    began = _fed_since(database, symbol, [*map(Interval, intervals)], to_ms(closed_by - reach))
    if began is None:
        return []
    bounds = [
        (interval, interval.floor(began), interval.floor(to_ms(closed_by)))
        for interval in map(Interval, intervals)
    ]
    return [
        Span(symbol, interval, from_ms(first), from_ms(end)) for interval, first, end in bounds if first < end
    ]


def _fed_since(
    database: Database[Document], symbol: str, intervals: Sequence[Interval], start_ms: int
) -> int | None:
    """Return from when on candles that close must have come: when the first one did, or the start."""
    closes = []
    for interval in intervals:
        newest = _kline(database, symbol, interval, {}, DESCENDING)
        if newest is None:
            continue
        if newest["received_at"] - newest["close_time"] > REPLAYED_AFTER:
            return None
        opened = from_ms(interval.floor(start_ms))
        if _kline(database, symbol, interval, {"open_time": {"$lt": opened}}, DESCENDING):
            return start_ms
        if first := _kline(database, symbol, interval, {"open_time": {"$gte": opened}}, ASCENDING):
            closes.append(interval.following(to_ms(first["open_time"])) - 1)
    return min(closes, default=None)


def missing_klines(database: Database[Document], span: Span) -> list[Span]:
    """Return the runs of candles of ``span`` that are not stored; those absent at the source left out."""
    wanted = _within(span)
    due = span.interval.candles_between(span.start_ms, span.end_ms)
    if database[STREAMING_DATA].count_documents(wanted) >= due:
        return []
    stored = database[STREAMING_DATA].find(wanted, {"_id": 0, "open_time": 1}).sort("open_time", ASCENDING)
    known = [(to_ms(gap["from"]), to_ms(gap["to"])) for gap in _absent_klines(database, span)]
    there = {kline["open_time"] for kline in stored}
    for first, end in known:
        while first < end:
            there.add(from_ms(first))
            first = span.interval.following(first)
    return list(find_gaps(span, sorted(at for at in there if span.start <= at < span.end)))


def _trade(database: Database[Document], symbol: str, ids: dict[str, int], way: int) -> Document | None:
    wanted: dict[str, Any] = {"kind": "trade", "symbol": symbol}
    if ids:
        wanted["trade_id"] = ids
    return database[STREAMING_DATA].find_one(
        wanted, {"trade_id": 1, "event_time": 1, "received_at": 1}, sort=[("trade_id", way)]
    )


def _first_at(database: Database[Document], symbol: str, at: datetime, low: int, high: int) -> int:
    """Return about the lowest id in ``[low, high]`` of which no earlier trade than ``at`` is stored after."""
    while high - low > _ROUGHLY:
        middle = (low + high) // 2
        trade = _trade(database, symbol, {"$gte": middle, "$lt": high}, ASCENDING)
        if trade is None or trade["event_time"] >= at:
            high = middle
        else:
            low = trade["trade_id"] + 1
    trades = database[STREAMING_DATA].find(
        {"kind": "trade", "symbol": symbol, "trade_id": {"$gte": low, "$lt": high}},
        {"trade_id": 1, "event_time": 1},
    )
    early = [trade["trade_id"] + 1 for trade in trades if trade["event_time"] < at]
    return max(early, default=low)


def _short(database: Database[Document], among: TradeRange) -> Iterator[TradeRange]:
    """Yield the ids that are not stored, as runs; runs that touch come one after the other."""
    symbol, first, last = among
    wanted = {"kind": "trade", "symbol": symbol, "trade_id": {"$gte": first, "$lte": last}}
    trades = database[STREAMING_DATA]
    if among.size > _READ_AT_ONCE:
        stored = trades.count_documents(wanted)
        if stored == 0:
            yield among
        elif stored < among.size:
            middle = (first + last) // 2
            yield from _short(database, TradeRange(symbol, first, middle))
            yield from _short(database, TradeRange(symbol, middle + 1, last))
        return
    found = trades.find(wanted, {"_id": 0, "trade_id": 1}).sort("trade_id", ASCENDING)
    expected = first
    for trade_id in (trade["trade_id"] for trade in found):
        if trade_id > expected:
            yield TradeRange(symbol, expected, trade_id - 1)
        expected = trade_id + 1
    if expected <= last:
        yield TradeRange(symbol, expected, last)


def _joined(runs: Iterable[TradeRange]) -> list[TradeRange]:
    joined: list[TradeRange] = []
    for run in runs:
        if joined and joined[-1].last_id + 1 == run.first_id:
            joined[-1] = joined[-1]._replace(last_id=run.last_id)
        else:
            joined.append(run)
    return joined


def _without(hole: TradeRange, absent: Sequence[tuple[int, int]]) -> Iterator[TradeRange]:
    """Yield what remains of ``hole`` without the ranges of ids, which are in order."""
    first = hole.first_id
    for start, end in absent:
        if start > first and start <= hole.last_id:
            yield hole._replace(first_id=first, last_id=start - 1)
        if end >= first and start <= hole.last_id:
            first = end + 1
    if first <= hole.last_id:
        yield hole._replace(first_id=first)


def _absent_trades(database: Database[Document], among: TradeRange) -> Iterator[Document]:
    return iter(
        database[GAPS]
        .find(
            {
                "kind": "trade",
                "state": ABSENT,
                "symbol": among.symbol,
                "first_id": {"$lte": among.last_id},
                "last_id": {"$gte": among.first_id},
            }
        )
        .sort("first_id", ASCENDING)
    )


def _absent_klines(database: Database[Document], span: Span) -> Iterator[Document]:
    return iter(
        database[GAPS].find(
            {
                "kind": "kline",
                "state": ABSENT,
                "symbol": span.symbol,
                "interval": span.interval.value,
                "from": {"$lt": span.end},
                "to": {"$gt": span.start},
            }
        )
    )


def _kline(
    database: Database[Document], symbol: str, interval: Interval, opened: Document, way: int
) -> Document | None:
    return database[STREAMING_DATA].find_one(
        {"kind": "kline", "symbol": symbol, "interval": interval.value, **opened},
        {"open_time": 1, "close_time": 1, "received_at": 1},
        sort=[("open_time", way)],
    )


def _within(span: Span) -> Document:
    return {
        "kind": "kline",
        "symbol": span.symbol,
        "interval": span.interval.value,
        "open_time": {"$gte": span.start, "$lt": span.end},
    }
