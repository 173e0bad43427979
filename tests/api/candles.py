"""Candles for tests, as they are stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from cryptobot.market import Interval, kline_id
from cryptobot.market.instant import to_ms

START = datetime(2026, 1, 1, tzinfo=UTC)


def candles(
    symbol: str, interval: str = "15m", count: int = 10, start: datetime = START, seed: int = 0
) -> list[dict[str, Any]]:
    """Return ``count`` closed candles on the grid, a random walk, as documents of historical_data."""
    random = np.random.default_rng(seed + len(symbol) + ord(symbol[0]))
    step = timedelta(milliseconds=Interval(interval).milliseconds)
    closes = 100 * np.exp(np.cumsum(random.normal(0, 0.002, count)))
    documents = []
    for index, close in enumerate(map(float, closes)):
        opened = start + index * step
        volume = float(random.uniform(1, 10))
        documents.append(
            {
                "_id": kline_id(symbol, interval, to_ms(opened)),
                "symbol": symbol,
                "interval": interval,
                "open_time": opened,
                "close_time": opened + step - timedelta(milliseconds=1),
                "open": close * 0.999,
                "high": close * 1.002,
                "low": close * 0.998,
                "close": close,
                "volume": volume,
                "quote_volume": volume * close,
                "trades": int(random.integers(5, 50)),
                "taker_buy_base": volume * 0.4,
                "taker_buy_quote": volume * close * 0.4,
                "source": "rest",
                "ingested_at": START,
            }
        )
    return documents


def live(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return candles as documents of streaming_data."""
    return [
        {**{k: v for k, v in d.items() if k not in ("source", "ingested_at")},
         "_id": f"kline|{d['_id']}", "kind": "kline", "received_at": START}
        for d in documents
    ]  # fmt: skip
