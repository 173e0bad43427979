"""The market at a moment: candles that have closed by then, the open one, the trades so far."""

from __future__ import annotations

import numpy as np

from cryptobot.market import Interval
from infra.exchange.bars import DAY_MS, EMPTY, HOUR_MS, Bars, aggregate, bucket_open, concat, merge
from infra.exchange.clock import Clock
from infra.exchange.history import History
from infra.exchange.instruments import Instrument
from infra.exchange.market import Market
from infra.exchange.seconds import seconds
from infra.exchange.trades import Trades


class Present:
    """What of a history has happened by the clock."""

    def __init__(self, history: History, clock: Clock) -> None:
        self.history = history
        self.clock = clock

    @property
    def market(self) -> Market:
        """The market that is shown."""
        return self.history.market

    def instrument(self, symbol: str) -> Instrument:
        """Return the symbol's instrument."""
        return self.market.instruments[symbol]

    def bar_at(self, symbol: str, at_ms: int) -> Bars:
        """Return the finest candle that holds ``at_ms``, as it will be when closed, or none."""
        bars = self.market.finest(symbol, at_ms - HOUR_MS + 1, at_ms + 1)[-1:]
        return bars if len(bars) and int(bars.close_ms[0]) >= at_ms else EMPTY

    def open_bar(self, symbol: str, now_ms: int) -> Bars:
        """Return the finest candle made of the trades up to ``now_ms``; none without a trade."""
        bar = self.bar_at(symbol, now_ms)
        return partial(bar, self.history.trades(symbol, int(bar.open_ms[0])), now_ms) if len(bar) else EMPTY

    def candles(
        self, symbol: str, interval: Interval, start_ms: int, end_ms: int, now_ms: int, zone_ms: int = 0
    ) -> Bars:
        """Return candles that open in ``[start_ms, end_ms)``, the one still open included."""
        end = min(end_ms, now_ms + 1)
        if interval is Interval.SECOND_1:
            return self._seconds(symbol, start_ms, end, now_ms)
        opened = bucket_open(now_ms, interval, zone_ms)
        closed = self.market.candles(symbol, interval, start_ms, min(end, opened), zone_ms)
        if end <= opened:
            return closed
        return concat([closed, self.open_candle(symbol, interval, now_ms, zone_ms)])

    def open_candle(self, symbol: str, interval: Interval, now_ms: int, zone_ms: int = 0) -> Bars:
        """Return the candle of ``interval`` that is open at ``now_ms``, as far as it has come."""
        opened = bucket_open(now_ms, interval, zone_ms)
        if interval is Interval.SECOND_1:
            return self._seconds(symbol, opened, opened + 1, now_ms)
        running = self.open_bar(symbol, now_ms)
        before = int(running.open_ms[0]) if len(running) else now_ms
        hours = EMPTY
        if interval.milliseconds > HOUR_MS and zone_ms % HOUR_MS == 0:
            hour = max(opened, bucket_open(before, Interval.HOUR_1))
            hours = self.market.candles(symbol, Interval.HOUR_1, opened, hour)
            opened = hour
        rest = self.market.finest(symbol, opened, before)
        return aggregate(concat([hours, rest, running]), interval, zone_ms)

    def moment(self, symbol: str, now_ms: int) -> int:
        """Return ``now_ms``, or the last moment of the symbol's record when that is over."""
        end = self.market.end(symbol)
        return now_ms if end is None else min(now_ms, end - 1)

    def last_day(self, symbol: str, now_ms: int) -> Bars:
        """Return one candle of the 24 hours up to ``now_ms``, to the minute; none without trades."""
        running = self.open_bar(symbol, now_ms)
        until = int(running.open_ms[0]) if len(running) else now_ms + 1
        bars = concat([self.market.finest(symbol, until - DAY_MS, until), running])
        return merge(bars) if len(bars) else EMPTY

    def _seconds(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> Bars:
        bars = self.market.finest(symbol, start_ms - HOUR_MS, end_ms)
        bars = bars[bars.close_ms >= start_ms]
        made = [
            seconds(bars[row : row + 1], self.history.trades(symbol, int(bars.open_ms[row])), now_ms)
            for row in range(len(bars))
        ]
        return concat(made).between(start_ms, end_ms)


def partial(bar: Bars, trades: Trades, now_ms: int) -> Bars:
    """Return ``bar`` as it stands after those of its trades that happened up to ``now_ms``."""
    seen = int(np.searchsorted(trades.time_ms, now_ms, side="right"))
    if not seen:
        return EMPTY
    price, quantity = trades.price[:seen], trades.quantity[:seen]
    bought = ~trades.buyer_is_maker[:seen]
    quote = price * quantity
    values = {
        "open_ms": bar.open_ms[0],
        "close_ms": bar.close_ms[0],
        "open": price[0],
        "high": price.max(),
        "low": price.min(),
        "close": price[-1],
        "volume": quantity.sum(),
        "quote": quote.sum(),
        "trades": seen,
        "taker_base": quantity[bought].sum(),
        "taker_quote": quote[bought].sum(),
        "first_trade": bar.first_trade[0],
        "first_agg": bar.first_agg[0],
        "aggs": trades.agg_id[seen - 1] + 1 - bar.first_agg[0],
    }
    return Bars(**{name: np.array([value], np.int64) for name, value in values.items()})
