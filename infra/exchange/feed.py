"""The live feed: as time passes, what happened goes to all who subscribed to it."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cryptobot.market import Interval
from infra.exchange.bars import DAY_MS, MINUTE_MS, Bars, aggregate, concat
from infra.exchange.events import event_frame, kline_event, mini_ticker_event, trade_frames
from infra.exchange.recent import Recent
from infra.exchange.present import Present
from infra.exchange.rendering import Lines

_TICK_SECONDS = 0.01
_KLINE_SECONDS = 2.0
_TICKER_SECONDS = 1.0
_INTERVALS = {interval.value: interval for interval in Interval}
_STREAM = re.compile(r"^([a-z0-9]{4,20})@(trade|aggTrade|miniTicker|kline_(\w+))$")


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream in one shape: whose it is, what it carries, wrapped or raw, ms or us."""

    name: str
    symbol: str
    kind: str
    interval: Interval | None
    wrapped: bool
    scale: int


class Listener(Protocol):
    """Who receives frames."""

    def send(self, frames: bytes) -> None:
        """Send whole frames."""


def parse(name: str, symbols: object, *, wrapped: bool, scale: int) -> Stream | None:
    """Return the stream called ``name``, or None when there is none of that form."""
    found = _STREAM.match(name)
    if not found:
        return None
    interval = None
    if found[3]:
        if found[3] not in _INTERVALS:
            return None
        interval = _INTERVALS[found[3]]
    return Stream(name, found[1].upper(), found[2].partition("_")[0], interval, wrapped, scale)


class Feed:
    """Subscriptions, and the loop that serves them."""

    def __init__(self, present: Present) -> None:
        self._present = present
        self._listeners: dict[Stream, set[Listener]] = defaultdict(set)
        self._frames: Recent[tuple[str, int, str, bool, int], Lines] = Recent(16)

    def subscribe(self, stream: Stream, listener: Listener) -> None:
        """Send ``stream`` to ``listener`` from now on."""
        if stream.symbol in self._present.market.instruments:
            self._listeners[stream].add(listener)

    def unsubscribe(self, stream: Stream, listener: Listener) -> None:
        """Send ``stream`` to ``listener`` no more."""
        held = self._listeners.get(stream)
        if held is not None:
            held.discard(listener)
            if not held:
                del self._listeners[stream]

    async def run(self) -> None:
        """Serve until cancelled."""
        clock = self._present.clock
        cursor, kline_due, ticker_due = clock.now_ms(), 0.0, 0.0
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now, wall = clock.now_ms(), time.monotonic()
            if self._listeners and now > cursor:
                klines, tickers = wall >= kline_due, wall >= ticker_due
                if klines:
                    kline_due = wall + _KLINE_SECONDS
                if tickers:
                    ticker_due = wall + _TICKER_SECONDS
                for symbol in {stream.symbol for stream in self._listeners}:
                    self._advance(symbol, cursor, now, klines=klines, tickers=tickers)
            cursor = now

    def _advance(self, symbol: str, since_ms: int, now_ms: int, *, klines: bool, tickers: bool) -> None:
        """Send what happened in ``(since_ms, now_ms]``."""
        streams = [stream for stream in self._listeners if stream.symbol == symbol]
        at = since_ms + 1
        while at <= now_ms:
            bar = self._present.bar_at(symbol, at)
            until = (
                min(now_ms, int(bar.close_ms[0]))
                if len(bar)
                else min(now_ms, at - at % MINUTE_MS + MINUTE_MS - 1)
            )
            if len(bar):
                self._send_trades(symbol, streams, int(bar.open_ms[0]), at, until)
                if until < now_ms:
                    self._send_closed(symbol, streams, bar)
            at = until + 1
        if klines:
            self._send_open(symbol, streams, now_ms)
        if tickers:
            self._send_tickers(symbol, streams, now_ms)

    def _send_trades(
        self, symbol: str, streams: list[Stream], open_ms: int, first_ms: int, last_ms: int
    ) -> None:
        wanted = [stream for stream in streams if stream.kind == "trade"]
        if not wanted:
            return
        trades = self._present.history.trades(symbol, open_ms)
        first, last = np.searchsorted(trades.time_ms, (first_ms, last_ms + 1))
        if first == last:
            return
        instrument = self._present.instrument(symbol)
        for stream in wanted:
            rendered = self._frames.get(
                (symbol, open_ms, stream.kind, stream.wrapped, stream.scale),
                lambda stream=stream: trade_frames(
                    trades, instrument, wrapped=stream.wrapped, scale=stream.scale
                ),
            )
            self._send(stream, rendered.slice(int(first), int(last)))

    def _send_closed(self, symbol: str, streams: list[Stream], bar: Bars) -> None:
        closed_ms = int(bar.close_ms[0])
        for stream in streams:
            if stream.interval is not None and stream.interval.floor(closed_ms + 1) == closed_ms + 1:
                opened = stream.interval.floor(closed_ms)
                bars = self._present.market.candles(symbol, stream.interval, opened, opened + 1)
                self._send_kline(stream, bars, closed_ms + 1, closed=True)

    def _send_open(self, symbol: str, streams: list[Stream], now_ms: int) -> None:
        for stream in streams:
            if stream.interval is not None:
                bars = self._present.open_candle(symbol, stream.interval, now_ms)
                if len(bars):
                    self._send_kline(stream, bars, now_ms, closed=False)

    def _send_kline(self, stream: Stream, bars: Bars, now_ms: int, *, closed: bool) -> None:
        assert stream.interval is not None  # noqa: S101
        instrument = self._present.instrument(stream.symbol)
        event = kline_event(bars, instrument, stream.interval, now_ms, closed=closed, scale=stream.scale)
        self._send(stream, event_frame(stream.name, event, wrapped=stream.wrapped))

    def _send_tickers(self, symbol: str, streams: list[Stream], now_ms: int) -> None:
        wanted = [stream for stream in streams if stream.kind == "miniTicker"]
        if not wanted:
            return
        running = self._present.open_bar(symbol, now_ms)
        until = int(running.open_ms[0]) if len(running) else now_ms
        bars = concat(
            [self._present.market.candles(symbol, Interval.MINUTE_1, until - DAY_MS, until), running]
        )
        day = aggregate(bars.shifted(-int(bars.open_ms[0])), Interval.MONTH_1)
        for stream in wanted:
            event = mini_ticker_event(day, self._present.instrument(symbol), now_ms, stream.scale)
            self._send(stream, event_frame(stream.name, event, wrapped=stream.wrapped))

    def _send(self, stream: Stream, frames: bytes) -> None:
        for listener in tuple(self._listeners.get(stream, ())):
            listener.send(frames)
