"""Closed candles by REST, as the events that the stream would have sent."""

from __future__ import annotations

from typing import Any

from cryptobot.exchange.rest import Row
from cryptobot.market.interval import Interval

KlineEvent = dict[str, Any]
"""An event of ``<symbol>@kline_<interval>``: ``e, E, s, k``."""


def kline_event(symbol: str, interval: Interval, row: Row) -> KlineEvent:
    """Return a row of klines as the event of a candle that has closed.

    The row names no trade ids; ``f`` and ``L`` are -1, as for a candle without trades.
    """
    opened, o, h, l, c, volume, closed, quote, trades, taker_base, taker_quote = row[:11]  # noqa: E741
    return {
        "e": "kline",
        "E": closed + 1,
        "s": symbol,
        "k": {
            "t": opened, "T": closed, "s": symbol, "i": interval.value, "f": -1, "L": -1, "o": o, "c": c,
            "h": h, "l": l, "v": volume, "n": trades, "x": True, "q": quote, "V": taker_base,
            "Q": taker_quote, "B": "0",
        },
    }  # fmt: skip
