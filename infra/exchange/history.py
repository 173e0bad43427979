"""Whatever of a market is costly to make and asked for again: rendered minutes, trades."""

from __future__ import annotations

from dataclasses import dataclass

from cryptobot.market import Interval
from infra.exchange.bars import DAY_MS, Bars, Ints
from infra.exchange.fills import trades_of
from infra.exchange.instruments import Instrument
from infra.exchange.market import Market
from infra.exchange.recent import Recent
from infra.exchange.rendering import Fixed, Integer, Lines, lines
from infra.exchange.trades import Aggregates, Trades, aggregates


@dataclass(frozen=True, slots=True)
class Page:
    """Rendered rows and the open times by which they are found."""

    open_ms: Ints
    rows: Lines


class History:
    """Rows and trades of a market, whatever the time is; ``cache_mb`` of rendered rows are kept."""

    def __init__(self, market: Market, cache_mb: float = 32.0) -> None:
        self.market = market
        symbols = len(market.instruments)
        self._rows: Recent[tuple[str, int], Page] = Recent(
            int(cache_mb * 2**20), lambda page: len(page.rows.data) + page.rows.offsets.nbytes
        )
        self._trades: Recent[tuple[str, int], Trades] = Recent(max(24, 3 * symbols))
        self._aggregates: Recent[tuple[str, int], Aggregates] = Recent(max(8, 3 * symbols))

    def minutes(self, symbol: str, day: int) -> Page:
        """Return the minutes of ``day``, counted from the epoch, rendered as rows."""

        def make() -> Page:
            bars = self.market.candles(symbol, Interval.MINUTE_1, day * DAY_MS, (day + 1) * DAY_MS)
            return Page(bars.open_ms, kline_rows(bars, self.market.instruments[symbol]))

        return self._rows.get((symbol, day), make)

    def trades(self, symbol: str, open_ms: int) -> Trades:
        """Return the trades of the finest candle that opens at ``open_ms``."""

        def make() -> Trades:
            bars = self.market.finest(symbol, open_ms, open_ms + 1)
            return trades_of(bars, 0, self.market.rng(symbol, open_ms))

        return self._trades.get((symbol, open_ms), make)

    def aggregates(self, symbol: str, open_ms: int) -> Aggregates:
        """Return the aggregates of the finest candle that opens at ``open_ms``, which has trades."""
        return self._aggregates.get((symbol, open_ms), lambda: aggregates(self.trades(symbol, open_ms)))


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
