"""Candles for the checks: sound ones, made to measure, as documents of ``historical_data``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptobot.market import Interval, Span, kline_id
from cryptobot.market.instant import to_ms

START = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = 48


def whole_span(symbol: str = "BTCUSDT") -> Span:
    return Span(symbol, Interval.HOUR_1, START, START + timedelta(hours=HOURS))


def documents(symbol: str = "BTCUSDT", hours: int = HOURS) -> list[dict[str, Any]]:
    made = []
    for hour in range(hours):
        opened = START + timedelta(hours=hour)
        price = 100.0 + hour
        made.append(
            {
                "_id": kline_id(symbol, "1h", to_ms(opened)),
                "symbol": symbol,
                "interval": "1h",
                "open_time": opened,
                "close_time": opened + timedelta(hours=1, milliseconds=-1),
                "open": price,
                "high": price + 2,
                "low": price - 2,
                "close": price + 1,
                "volume": 10.0,
                "quote_volume": 10.0 * price,
                "trades": 5,
                "taker_buy_base": 4.0,
                "taker_buy_quote": 4.0 * price,
                "source": "rest",
                "ingested_at": opened + timedelta(hours=2),
            }
        )
    return made
