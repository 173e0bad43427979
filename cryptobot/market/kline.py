"""The candle: identified by its open time, known only once it has closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptobot.market.instant import from_ms, to_ms
from cryptobot.market.interval import Interval

ARCHIVE_MICROSECONDS_FROM = 10**14
"""Times at or above this are microseconds: the archive's unit for spot since 2025-01-01."""


def kline_id(symbol: str, interval: str, open_ms: int) -> str:
    """Return the candle's key, ``BTCUSDT|1m|<open time in ms>``."""
    return f"{symbol}|{interval}|{open_ms}"


def milliseconds(wire_time: int) -> int:
    """Return ``wire_time`` in milliseconds, whichever of the archive's two units it is in."""
    return wire_time // 1_000 if wire_time >= ARCHIVE_MICROSECONDS_FROM else wire_time


@dataclass(frozen=True, slots=True)
class Kline:
    """One candle. Prices in the quote asset, volumes in base and quote units, times UTC."""

    symbol: str
    interval: Interval
    open_time: datetime
    close_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    trades: int
    taker_buy_base: float
    taker_buy_quote: float

    @classmethod
    def from_rest(cls, symbol: str, interval: Interval, row: Sequence[Any]) -> Kline:
        """Read a row of ``/api/v3/klines`` or of the archive (12 fields, ms or us)."""
        return cls(
            symbol=symbol,
            interval=interval,
            open_time=from_ms(milliseconds(int(row[0]))),
            close_time=from_ms(milliseconds(int(row[6]))),
            open=float(row[1]),
            high=float(row[2]),
            low=float(row[3]),
            close=float(row[4]),
            volume=float(row[5]),
            quote_volume=float(row[7]),
            trades=int(row[8]),
            taker_buy_base=float(row[9]),
            taker_buy_quote=float(row[10]),
        )

    @classmethod
    def from_stream(cls, k: dict[str, Any]) -> Kline:
        """Read the ``k`` object of a kline stream event; the caller checks ``k["x"]``."""
        return cls(
            symbol=k["s"],
            interval=Interval(k["i"]),
            open_time=from_ms(int(k["t"])),
            close_time=from_ms(int(k["T"])),
            open=float(k["o"]),
            high=float(k["h"]),
            low=float(k["l"]),
            close=float(k["c"]),
            volume=float(k["v"]),
            quote_volume=float(k["q"]),
            trades=int(k["n"]),
            taker_buy_base=float(k["V"]),
            taker_buy_quote=float(k["Q"]),
        )

    @property
    def open_ms(self) -> int:
        """Open time in milliseconds since the epoch."""
        return to_ms(self.open_time)

    @property
    def key(self) -> str:
        """The ``_id`` under which the candle is stored."""
        return kline_id(self.symbol, self.interval, self.open_ms)


def is_closed(row: Sequence[Any], now_ms: int) -> bool:
    """Tell whether a REST row's candle has closed by the exchange's clock.

    The newest row that the exchange answers is the candle still open; it must never be
    stored as closed. The close time is inclusive: the candle closes a millisecond later.
    """
    return milliseconds(int(row[6])) < now_ms
