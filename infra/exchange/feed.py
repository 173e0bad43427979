"""The live feed: as time passes, what happened goes to all who subscribed to it."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from functools import partial
from math import floor
from typing import Protocol

import numpy as np

from cryptobot.market import Interval
from infra.exchange import events, statistics
from infra.exchange.bars import EMPTY, MINUTE_MS, Bars, bucket_open
from infra.exchange.faults import Faults
from infra.exchange.present import Present
from infra.exchange.recent import Recent
from infra.exchange.rendering import Lines
from infra.exchange.subscription import Stream

_TICK_SECONDS = 0.01
_PUSHES = {"kline": 2.0, "miniTicker": 1.0, "ticker": 1.0, "1s": 1.0}
"""What is pushed every so many seconds."""
_SECOND_MS = 1_000
_BLOCK = 2_048
"""Trades are rendered so many at a time."""


class Listener(Protocol):
    """Who receives frames."""

    def send(self, frames: bytes) -> None:
        """Send whole frames."""


class _Turns:
    """When the state of each symbol is pushed: each at its own part of the period, not all at once."""

    def __init__(self, symbols: Collection[str]) -> None:
        self._parts = {symbol: place / len(symbols) for place, symbol in enumerate(symbols)}

    def due(self, symbol: str, since: float, until: float) -> set[str]:
        """Return the pushes whose turn came in ``(since, until]``, seconds."""
        part = self._parts.get(symbol, 0.0)
        return {
            push
            for push, every in _PUSHES.items()
            if floor(until / every + part) > floor(since / every + part)
        }


class Feed:
    """Subscriptions, and the loop that serves them."""

    def __init__(self, present: Present, faults: Faults) -> None:
        self._present = present
        self._faults = faults
        self._listeners: dict[Stream, set[Listener]] = defaultdict(set)
        self._blocks: Recent[tuple[Stream, int, int], Lines] = Recent(
            max(16, 3 * len(present.market.instruments))
        )
        self._bars: dict[str, tuple[int, int, Bars]] = {}
        self._to_prepare: list[Stream] = []
        self._prepared: dict[Stream, int] = {}

    @property
    def now_ms(self) -> int:
        """The feed's time."""
        return self._present.clock.now_ms()

    def subscribe(self, stream: Stream, listener: Listener) -> None:
        """Send ``stream`` to ``listener`` from now on; a symbol that is not traded is silent."""
        if not stream.symbol or stream.symbol in self._present.market.instruments:
            self._listeners[stream].add(listener)

    def unsubscribe(self, stream: Stream, listener: Listener) -> None:
        """Send ``stream`` to ``listener`` no more."""
        if stream in self._listeners:
            self._listeners[stream].discard(listener)
            if not self._listeners[stream]:
                del self._listeners[stream]
                self._prepared.pop(stream, None)

    async def run(self) -> None:
        """Serve until cancelled."""
        turns = _Turns(self._present.market.instruments)
        cursor, looked = self.now_ms, time.monotonic()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now, wall = self.now_ms, time.monotonic()
            self._advance(cursor, now, partial(turns.due, since=looked, until=wall))
            cursor, looked = now, wall
            self._prepare()

    def _advance(self, since_ms: int, now_ms: int, due: Callable[[str], set[str]]) -> None:
        by_symbol: dict[str, list[Stream]] = defaultdict(list)
        for stream in self._listeners:
            by_symbol[stream.symbol].append(stream)
        for symbol, streams in by_symbol.items():
            if symbol:
                since = since_ms
                if now_ms < since_ms:
                    end = self._present.market.end(symbol) or since_ms
                    self._happened(symbol, streams, since_ms, end)
                    since = now_ms
                self._happened(symbol, streams, since, now_ms)
            if pushes := due(symbol):
                self._push(streams, now_ms, pushes)

    def _happened(self, symbol: str, streams: list[Stream], since_ms: int, now_ms: int) -> None:
        """Send the trades of ``(since_ms, now_ms]`` and the candles that ended in ``[since_ms, now_ms)``."""
        at = since_ms
        by_second = any(stream.interval is Interval.SECOND_1 for stream in streams)
        while at <= now_ms:
            bar = self._bar(symbol, at)
            last = int(bar.close_ms[0]) if len(bar) else at - at % MINUTE_MS + MINUTE_MS - 1
            if by_second:
                last = min(last, at - at % _SECOND_MS + _SECOND_MS - 1)
            if len(bar) and bar.trades[0]:
                first = max(at, since_ms + 1)
                self._send_trades(streams, int(bar.open_ms[0]), first, min(last, now_ms))
            if last < now_ms:
                self._send_closed(streams, last)
            at = last + 1

    def _bar(self, symbol: str, at_ms: int) -> Bars:
        """Return the finest candle that holds ``at_ms``; most often the one of the tick before."""
        first, last, held = self._bars.get(symbol, (0, -1, EMPTY))
        if first <= at_ms <= last:
            return held
        bar = self._present.bar_at(symbol, at_ms)
        if len(bar):
            self._bars[symbol] = int(bar.open_ms[0]), int(bar.close_ms[0]), bar
        return bar

    def _prepare(self) -> None:
        """Make one stream's trades of the candle to come, so that no minute begins with those of all."""
        if not self._to_prepare:
            self._to_prepare = [stream for stream in self._listeners if stream.kind in ("trade", "aggTrade")]
            return
        stream = self._to_prepare.pop()
        _, last, held = self._bars.get(stream.symbol, (0, -1, EMPTY))
        if len(held) and self._prepared.get(stream) != last:
            self._prepared[stream] = last
            coming = self._present.bar_at(stream.symbol, last + 1)
            if len(coming) and coming.trades[0]:
                self._block(stream, int(coming.open_ms[0]), 0)

    def _send_trades(self, streams: list[Stream], open_ms: int, first_ms: int, last_ms: int) -> None:
        for stream in streams:
            if stream.kind not in ("trade", "aggTrade", "bookTicker"):
                continue
            history = self._present.history
            source = history.aggregates if stream.kind == "aggTrade" else history.trades
            times = source(stream.symbol, open_ms).time_ms
            first, last = (int(row) for row in np.searchsorted(times, (first_ms, last_ms + 1)))
            if first == last:
                continue
            if stream.kind == "bookTicker":
                self._send_book(stream, last_ms)
                continue
            for block in range(first // _BLOCK, (last - 1) // _BLOCK + 1):
                begin = block * _BLOCK
                lines = self._block(stream, open_ms, block)
                self._send_lines(stream, lines, max(first - begin, 0), min(last - begin, _BLOCK))

    def _block(self, stream: Stream, open_ms: int, block: int) -> Lines:
        history, instrument = self._present.history, self._present.instrument(stream.symbol)
        rows = slice(block * _BLOCK, (block + 1) * _BLOCK)

        def make() -> Lines:
            if stream.kind == "trade":
                return events.trades(history.trades(stream.symbol, open_ms), rows, instrument, stream)
            return events.aggregates(history.aggregates(stream.symbol, open_ms), rows, instrument, stream)

        return self._blocks.get((stream, open_ms, block), make)

    def _send_lines(self, stream: Stream, lines: Lines, first: int, last: int) -> None:
        if self._faults.chance(self._faults.broken_share):
            self._send(stream, events.frame(b'{"e":"trade","E":'))
        if self._faults.out_of_order:
            self._send(stream, b"".join(lines.slice(row, row + 1) for row in reversed(range(first, last))))
        else:
            self._send(stream, lines.slice(first, last))

    def _send_book(self, stream: Stream, now_ms: int) -> None:
        trade = statistics.last_trade(self._present, stream.symbol, now_ms)
        event = events.book_ticker(trade, self._present.instrument(stream.symbol))
        self._send(stream, events.event_frame(stream, event))

    def _send_closed(self, streams: list[Stream], last_ms: int) -> None:
        """Send the candles whose last moment is ``last_ms``."""
        for stream in streams:
            interval, zone_ms = stream.interval, stream.zone_ms
            if interval is None or bucket_open(last_ms + 1, interval, zone_ms) != last_ms + 1:
                continue
            opened = bucket_open(last_ms, interval, zone_ms)
            bars = self._present.candles(stream.symbol, interval, opened, opened + 1, last_ms + 1, zone_ms)
            if len(bars) and not self._faults.missing(opened, interval):
                repeats = 2 if self._faults.chance(self._faults.repeated_candles) else 1
                self._send(stream, self._kline(stream, bars, last_ms + 1, closed=True) * repeats)

    def _push(self, streams: list[Stream], now_ms: int, pushes: set[str]) -> None:
        """Send the state at ``now_ms`` of those of ``streams`` whose turn it is."""
        for stream in streams:
            if stream.interval is not None and {stream.kind, stream.interval.value} & pushes:
                bars = self._present.open_candle(stream.symbol, stream.interval, now_ms, stream.zone_ms)
                if len(bars):
                    self._send(stream, self._kline(stream, bars, now_ms, closed=False))
            elif stream.interval is None and stream.kind in pushes:
                self._send_day(stream, now_ms)

    def _kline(self, stream: Stream, bars: Bars, now_ms: int, *, closed: bool) -> bytes:
        instrument = self._present.instrument(stream.symbol)
        return events.event_frame(stream, events.kline(bars, instrument, stream, now_ms, closed=closed))

    def _send_day(self, stream: Stream, now_ms: int) -> None:
        make = events.mini_ticker if stream.kind == "miniTicker" else events.ticker
        symbols = [stream.symbol] if stream.symbol else list(self._present.market.instruments)
        days = [statistics.rolling_day(self._present, symbol, now_ms) for symbol in symbols]
        found = [make(day, stream.scale) for day in days if day]
        if found:
            self._send(stream, events.event_frame(stream, found[0] if stream.symbol else found))

    def _send(self, stream: Stream, frames: bytes) -> None:
        for listener in tuple(self._listeners.get(stream, ())):
            listener.send(frames)
