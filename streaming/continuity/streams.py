"""All streams that the producer follows: trades by their ids, candles by the exchange's event clock."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Listed
from typing import Any, NamedTuple

from cryptobot.market import Interval
from cryptobot.storage.live_gaps import LiveGap
from cryptobot.storage.stream_positions import StreamPosition
from streaming.continuity.sequence import Hole, Sequence

LATE_MS = 5_000
"""A candle that has not come so long after its close, by the exchange's event clock, is missing."""
REORDERED_S = 1.0
"""Trades may come out of order for so long before what lies between them is missing."""
LATEST_MS = 10**14
"""Times from here on (the year 5138) are not milliseconds of any market."""
_INT64 = 2**63
NEAR = 1_000
"""Holes of one stream so near to each other are asked for together."""


class Stretch(NamedTuple):
    """Holes of one stream that are filled together."""

    symbol: str
    interval: Interval | None
    """Of candles; None for trades."""
    sequence: Sequence
    holes: list[Hole]
    attempts: int = 0
    """How often the exchange has answered without what is missing."""

    def gap(self, hole: Hole) -> LiveGap:
        """Return the hole as it is recorded."""
        if self.interval is None:
            start, end = hole.since_ms, max(self.sequence.time_ms, hole.since_ms + 1)
            return LiveGap("trade", self.symbol, None, hole.first, hole.last, start, end)
        first, last = (self.interval.opening(place) for place in (hole.first, hole.last))
        end = self.interval.following(last)
        return LiveGap("kline", self.symbol, self.interval.value, first, last, first, end)


class Streams:
    """Where each stream is without a hole. All in one thread; what comes in order costs next to nothing."""

    def __init__(self, symbols: Iterable[str], intervals: Listed[str]) -> None:
        self._trades = {symbol: Sequence() for symbol in symbols}
        self._candles = {
            symbol: {interval: (Interval(interval), Sequence()) for interval in intervals}
            for symbol in self._trades
        }
        self._due_ms = dict.fromkeys(self._trades, 0)
        self._told: dict[str, int] = {}

    def trade(self, symbol: str, event: dict[str, Any]) -> None:
        """Take note of a trade."""
        sequence = self._trades[symbol]
        number, at_ms = event["t"], event["T"]
        if number == sequence.next and 0 < at_ms < LATEST_MS:
            sequence.next = number + 1
            sequence.time_ms = at_ms
            return
        if type(number) is not int or not 0 <= number < _INT64:
            raise ValueError(f"trade id is {number!r}")
        _check_time(at_ms)
        sequence.offer(number, at_ms, time.monotonic())

    def candle(self, symbol: str, event: dict[str, Any]) -> None:
        """Take note of a kline event, closed or not."""
        k, event_ms, opened_ms = event["k"], event["E"], event["k"]["t"]
        interval, sequence = self._candles[symbol][k["i"]]
        if k["x"] is True:
            _check_time(opened_ms)
            sequence.offer(interval.place(opened_ms), 0, time.monotonic())
        elif sequence.next is None:
            _check_time(opened_ms)
            sequence.begin(interval.place(opened_ms), 0)
        self.clock(symbol, event_ms)

    def clock(self, symbol: str, event_ms: int) -> None:
        """Take note of the exchange's time; candles that must have closed by then are missing."""
        if event_ms < self._due_ms[symbol]:
            return
        _check_time(event_ms)
        until_ms, due_ms = event_ms - LATE_MS, []
        for interval, sequence in self._candles[symbol].values():
            opened = interval.floor(until_ms)
            sequence.expect(interval.place(opened) - 1, time.monotonic())
            due_ms.append(interval.following(opened) + LATE_MS)
        self._due_ms[symbol] = min(due_ms)

    def resume(self, positions: Iterable[StreamPosition]) -> None:
        """Go on from where the streams were before; what has been missed since is a hole."""
        now = time.monotonic()
        for one in positions:
            if one.kind == "trade" and one.symbol in self._trades:
                self._trades[one.symbol].resume(one.position, one.event_ms, now)
            elif one.interval in self._candles.get(one.symbol, {}):
                interval, sequence = self._candles[one.symbol][one.interval]
                sequence.resume(interval.place(one.position), 0, now)
                self._due_ms[one.symbol] = 0

    def moved(self) -> list[StreamPosition]:
        """Return the positions that are not as they were at the last call."""
        found = []
        for one in self._positions():
            if self._told.get(one.key) != one.position:
                self._told[one.key] = one.position
                found.append(one)
        return found

    def due(self) -> list[Stretch]:
        """Return the holes that are to be filled now; each is returned once."""
        now = time.monotonic()
        found: list[Stretch] = []
        for symbol, sequence in self._trades.items():
            if sequence.holes:
                found += _stretches(symbol, None, sequence, sequence.due(now - REORDERED_S))
        for symbol, by_interval in self._candles.items():
            for interval, sequence in by_interval.values():
                if sequence.holes:
                    found += _stretches(symbol, interval, sequence, sequence.due(now - REORDERED_S))
        return found

    def _positions(self) -> Iterator[StreamPosition]:
        for symbol, sequence in self._trades.items():
            if (position := sequence.position) is not None:
                yield StreamPosition("trade", symbol, None, position, sequence.position_ms)
        for symbol, by_interval in self._candles.items():
            for name, (interval, sequence) in by_interval.items():
                if (position := sequence.position) is not None:
                    opened = interval.opening(position)
                    yield StreamPosition("kline", symbol, name, opened, opened)


def _check_time(at_ms: Any) -> None:
    if type(at_ms) is not int or not 0 < at_ms < LATEST_MS:
        raise ValueError(f"time is {at_ms!r}, not milliseconds")


def _stretches(
    symbol: str, interval: Interval | None, sequence: Sequence, holes: list[Hole]
) -> Iterator[Stretch]:
    stretch: list[Hole] = []
    for hole in holes:
        if stretch and hole.first - stretch[-1].last > NEAR:
            yield Stretch(symbol, interval, sequence, stretch)
            stretch = []
        stretch.append(hole)
    if stretch:
        yield Stretch(symbol, interval, sequence, stretch)
