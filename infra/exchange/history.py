"""Closed candles of any interval, aggregated from the finest and kept while they are in use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np

from cryptobot.market import Interval
from infra.exchange.bars import DAY_MS, EMPTY, HOUR_MS, Bars, aggregate, bucket_open, concat, next_open
from infra.exchange.fills import Trades, trades_of
from infra.exchange.instruments import Instrument
from infra.exchange.market import Market
from infra.exchange.rendering import Fixed, Integer, Lines, lines

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key, made when first asked for; the least recently used are let go."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of ``key``, made by ``make`` when it is not held."""
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        value = self._held[key] = make()
        if len(self._held) > self._limit:
            self._held.popitem(last=False)
        return value


class History:
    """Candles and trades of a market, whatever the time is."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._days: Recent[tuple[str, int], Bars] = Recent(96)
        self._hours: Recent[tuple[str, int], Bars] = Recent(16_384)
        self._rows: Recent[tuple[str, int], Lines] = Recent(96)
        self._trades: Recent[tuple[str, int], Trades] = Recent(8)

    def day(self, symbol: str, day: int) -> Bars:
        """Return the finest candles that open on ``day``."""
        if (day + 1) * DAY_MS <= self.market.first_open(symbol):
            return EMPTY
        return self._days.get((symbol, day), lambda: self.market.day(symbol, day))

    def candles(self, symbol: str, interval: Interval, start_ms: int, end_ms: int, zone_ms: int = 0) -> Bars:
        """Return the candles of ``interval`` that open in ``[start_ms, end_ms)``.

        Both ends are moved back to the grid first: the candle that holds ``start_ms`` is in.
        """
        start = bucket_open(start_ms, interval, zone_ms)
        until = bucket_open(end_ms - 1, interval, zone_ms)
        if until < start:
            return EMPTY
        end = next_open(until, interval, zone_ms)
        whole_hours = interval.milliseconds >= HOUR_MS and zone_ms % HOUR_MS == 0
        source = self._day_hours if whole_hours else self.day
        days = range(max(start, self.market.first_open(symbol)) // DAY_MS, (end - 1) // DAY_MS + 1)
        bars = concat([source(symbol, day) for day in days]).between(start, end)
        return bars if interval is Interval.MINUTE_1 else aggregate(bars, interval, zone_ms)

    def minute_rows(self, symbol: str, day: int) -> Lines:
        """Return the rendered rows of the minutes of ``day``, each followed by a comma."""
        instrument = self.market.instruments[symbol]
        return self._rows.get((symbol, day), lambda: kline_rows(self.day(symbol, day), instrument))

    def trades(self, symbol: str, open_ms: int) -> Trades:
        """Return the trades of the finest candle that opens at ``open_ms``."""

        def make() -> Trades:
            bars = self.day(symbol, open_ms // DAY_MS)
            row = int(np.searchsorted(bars.open_ms, open_ms))
            return trades_of(bars, row, self.market.rng(symbol, open_ms))

        return self._trades.get((symbol, open_ms), make)

    def _day_hours(self, symbol: str, day: int) -> Bars:
        return self._hours.get((symbol, day), lambda: aggregate(self.day(symbol, day), Interval.HOUR_1))


def kline_rows(bars: Bars, instrument: Instrument, scale: int = 1) -> Lines:
    """Render candles as rows of ``/api/v3/klines``, each followed by a comma.

    ``scale`` is 1,000 for times in microseconds.
    """
    price, quantity, quote = (
        instrument.price_decimals,
        instrument.quantity_decimals,
        instrument.quote_decimals,
    )
    return lines(
        [
            b"[", Integer(bars.open_ms * scale),
            b',"', Fixed(bars.open, price),
            b'","', Fixed(bars.high, price),
            b'","', Fixed(bars.low, price),
            b'","', Fixed(bars.close, price),
            b'","', Fixed(bars.volume, quantity),
            b'",', Integer((bars.close_ms + 1) * scale - 1),
            b',"', Fixed(bars.quote, quote),
            b'",', Integer(bars.trades),
            b',"', Fixed(bars.taker_base, quantity),
            b'","', Fixed(bars.taker_quote, quote),
            b'","0"],',
        ],
        len(bars),
    )  # fmt: skip
