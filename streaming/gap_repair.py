"""Filling what is missing of the live data from the exchange, straight into ``streaming_data``.

The producer fills what it notices. This finds by itself what nobody noticed, or what stayed open: it
reads the stored data, needs neither Kafka nor a daemon, and can be repeated at any time, for an event has
the same ``_id`` however it came. A run does a bounded amount of work; the next one goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from cryptobot.exchange.errors import ExchangeError
from cryptobot.exchange.kline_repair import kline_event
from cryptobot.exchange.rest import RestClient
from cryptobot.exchange.trade_repair import trades_between
from cryptobot.market import Interval, Span
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.settings import Settings
from cryptobot.storage import live_gaps, live_holes
from cryptobot.storage.database import Document
from cryptobot.storage.gaps import ABSENT, REPAIRED
from cryptobot.storage.live import insert_new
from cryptobot.storage.live_gaps import LiveGap
from cryptobot.storage.live_holes import TradeRange
from streaming.documents import REST, read

FOUND_BY = "live_gaps"
SETTLED = timedelta(minutes=1)
"""What is missing for less long may still come by itself."""
TRADES_REACH, KLINES_REACH = timedelta(hours=6), timedelta(hours=24)
"""How far behind the newest it is looked for holes that nobody recorded."""
ABSENT_AFTER = timedelta(minutes=10)
"""What the exchange does not list so long after it happened, it does not have."""
TRADES_AT_ONCE = 200_000
SECONDS_AT_ONCE = 75.0
RECORDED_AT_ONCE = 1_000
_ONE_REQUEST = 1_000
"""Ids between two holes that cost less to read again than another request does."""


@dataclass
class Repaired:
    """What a run did, and what it left: for the metadata of the asset's event.

    Attributes
    ----------
    failures
        What the exchange refused or did not answer, in words; nothing is known of these holes.
    left
        Whether work remains that was not begun: the next run goes on.
    """

    found: int = 0
    trades: int = 0
    klines: int = 0
    repaired: int = 0
    absent: int = 0
    open: int = 0
    left: bool = False
    symbols: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


_Range = tuple[tuple[str, str, str | None], int, int]
"""A stream, and the first and last of what is missing in it."""


class _OverError(Exception):
    """The run's share of work is done."""


@dataclass
class _Budget:
    trades: int
    until: float

    def spend(self, trades: int = 0) -> None:
        """Take from what is left; raises :class:`_OverError` when nothing is."""
        self.trades -= trades
        if self.trades <= 0 or time.monotonic() > self.until:
            raise _OverError


def repair_gaps(
    settings: Settings, database: Database[Document], *, trades_at_once: int = TRADES_AT_ONCE
) -> Repaired:
    """Find and fill what is missing for more than a minute; raises ``PyMongoError`` only."""
    done = Repaired()
    budget = _Budget(trades_at_once, time.monotonic() + SECONDS_AT_ONCE)
    with RestClient(settings.rest_url) as exchange:
        try:
            now = exchange.server_time()
        except ExchangeError as error:
            done.failures.append(str(error))
        else:
            known = [_range(gap) for gap in live_gaps.open_gaps(database)]
            for symbol in settings.symbols:
                done.found += _record(database, symbol, settings.intervals, known, now)
            with suppress(_OverError):
                done.left = True
                for fill in _work(database, exchange, now, done, budget):
                    budget.spend()
                    fill()
                done.left = False
    done.open = len(live_gaps.open_gaps(database))
    return done


def _record(
    database: Database[Document],
    symbol: str,
    intervals: Sequence[str],
    known: Sequence[_Range],
    now: datetime,
) -> int:
    """Record the holes of a symbol that none of the ``known`` ones holds; return how many."""
    found = [
        gap
        for gap in _holes(database, symbol, intervals, now)
        if not any(
            stream == (gap.kind, gap.symbol, gap.interval) and first <= gap.first and gap.last <= last
            for stream, first, last in known
        )
    ][:RECORDED_AT_ONCE]
    live_gaps.record_open(database, found, found_by=FOUND_BY)
    return len(found)


def _range(gap: LiveGap) -> _Range:
    return (gap.kind, gap.symbol, gap.interval), gap.first, gap.last


def _holes(
    database: Database[Document], symbol: str, intervals: Sequence[str], now: datetime
) -> Iterator[LiveGap]:
    window = live_holes.trade_window(database, symbol, TRADES_REACH, datetime.now(UTC) - SETTLED)
    if window is not None:
        for hole in live_holes.missing_trades(database, window):
            start = to_ms(live_holes.traded_before(database, hole) or now)
            end = to_ms(live_holes.traded_after(database, hole) or now)
            yield LiveGap("trade", symbol, None, hole.first_id, hole.last_id, start, end)
    for span in live_holes.kline_spans(database, symbol, intervals, KLINES_REACH, now - SETTLED):
        for run in live_holes.missing_klines(database, span):
            last = run.interval.floor(run.end_ms - 1)
            yield LiveGap("kline", symbol, run.interval.value, run.start_ms, last, run.start_ms, run.end_ms)


def _work(
    database: Database[Document], exchange: RestClient, now: datetime, done: Repaired, budget: _Budget
) -> Iterator[Callable[[], None]]:
    """Yield what is to be done: candles first, which are few, then the trades of each symbol."""
    ready = [gap for gap in live_gaps.open_gaps(database) if gap.end_ms <= to_ms(now - SETTLED)]
    for gap in (gap for gap in ready if gap.kind == "kline"):
        yield lambda gap=gap: _fill_klines(database, exchange, now, gap, done)  # type: ignore[misc]
    trades = [gap for gap in ready if gap.kind == "trade"]
    for symbol in dict.fromkeys(gap.symbol for gap in trades):
        of_symbol = [gap for gap in trades if gap.symbol == symbol]
        yield lambda gaps=of_symbol: _fill_trades(  # type: ignore[misc]
            database, exchange, now, gaps, done, budget
        )


def _fill_klines(
    database: Database[Document], exchange: RestClient, now: datetime, gap: LiveGap, done: Repaired
) -> None:
    interval = Interval(gap.interval or "")
    span = Span(gap.symbol, interval, from_ms(gap.first), from_ms(interval.following(gap.last)))
    try:
        for run in live_holes.missing_klines(database, span):
            for rows in exchange.klines(run, now):
                events = [kline_event(gap.symbol, interval, row) for row in rows]
                done.klines += _insert(database, events)
    except ExchangeError as error:
        done.failures.append(str(error))
        return
    left = [
        gap._replace(
            first=run.start_ms,
            last=interval.floor(run.end_ms - 1),
            start_ms=run.start_ms,
            end_ms=run.end_ms,
        )
        for run in live_holes.missing_klines(database, span)
    ]
    _settle(database, gap, left, now, done)


def _fill_trades(
    database: Database[Document],
    exchange: RestClient,
    now: datetime,
    gaps: Sequence[LiveGap],
    done: Repaired,
    budget: _Budget,
) -> None:
    """Fill a symbol's holes in the order of their ids; those that were reached are judged anew."""
    ordered = sorted(gaps, key=lambda gap: gap.first)
    missing = [hole for gap in ordered for hole in live_holes.missing_trades(database, _ids(gap))]
    reached = ordered[-1].last
    try:
        for holes in _near(missing):
            reached = holes[0].first_id - 1
            before = live_holes.traded_before(database, holes[0]) or from_ms(ordered[0].start_ms)
            _fill_near(database, exchange, holes, before, done, budget)
        reached = ordered[-1].last
    except ExchangeError as error:
        done.failures.append(str(error))
    finally:
        for gap in (gap for gap in ordered if gap.last <= reached):
            left = [
                gap._replace(first=hole.first_id, last=hole.last_id)
                for hole in live_holes.missing_trades(database, _ids(gap))
            ]
            _settle(database, gap, left, now, done)


def _fill_near(
    database: Database[Document],
    exchange: RestClient,
    holes: Sequence[TradeRange],
    since: datetime,
    done: Repaired,
    budget: _Budget,
) -> None:
    first, last = holes[0].first_id, holes[-1].last_id
    wanted = iter(holes)
    hole = next(wanted)
    for events in trades_between(exchange, hole.symbol, first, last, since):
        lacking = []
        for event in events:
            while event["t"] > hole.last_id:
                hole = next(wanted)
            if event["t"] >= hole.first_id:
                lacking.append(event)
        done.trades += _insert(database, lacking)
        budget.spend(len(lacking))


def _near(holes: Iterable[TradeRange]) -> list[list[TradeRange]]:
    """Return the holes in groups that are read together."""
    groups: list[list[TradeRange]] = []
    for hole in holes:
        if groups and hole.first_id - groups[-1][-1].last_id <= _ONE_REQUEST:
            groups[-1].append(hole)
        else:
            groups.append([hole])
    return groups


def _ids(gap: LiveGap) -> TradeRange:
    return TradeRange(gap.symbol, gap.first, gap.last)


def _insert(database: Database[Document], events: Iterable[dict[str, Any]]) -> int:
    received = to_ms(datetime.now(UTC))
    made = (read({"data": event, "received_at": received, "source": REST}) for event in events)
    return insert_new(database, [each for each in made if each is not None]).inserted


def _settle(
    database: Database[Document], gap: LiveGap, left: Sequence[LiveGap], now: datetime, done: Repaired
) -> None:
    """Mark a hole that was asked about: repaired, or, long after, what is left of it as absent."""
    if gap.symbol not in done.symbols:
        done.symbols.append(gap.symbol)
    if left and gap.end_ms > to_ms(now - ABSENT_AFTER):
        return  # the exchange may list it later
    if [_range(gap)] != [_range(one) for one in left]:
        live_gaps.mark(database, [gap], REPAIRED)
        done.repaired += 1
    if left:
        live_gaps.record_open(database, left, found_by=FOUND_BY)
        live_gaps.mark(database, left, ABSENT)
        done.absent += len(left)
