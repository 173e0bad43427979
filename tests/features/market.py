"""Candles for tests: a seeded random walk, and the recorded ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

_ARCHIVE = (
    "open_ms open high low close volume close_ms quote_volume trades taker_buy_base taker_buy_quote ignore"
)


def walk(count: int, seed: int = 0, minutes: int = 15, start: str = "2025-01-01") -> pd.DataFrame:
    """Return ``count`` candles with clustered volatility, consistent within each candle."""
    random = np.random.default_rng(seed)
    volatility = 0.002 * np.exp(np.convolve(random.normal(0, 0.3, count + 49), np.ones(50) / 7, "valid"))
    close = 30_000 * np.exp(np.cumsum(random.normal(0, 1, count) * volatility))
    opened = np.concatenate([[30_000.0], close[:-1]])
    high = np.maximum(opened, close) * (1 + np.abs(random.normal(0, 0.3, count)) * volatility)
    low = np.minimum(opened, close) * (1 - np.abs(random.normal(0, 0.3, count)) * volatility)
    volume = 100 * np.exp(random.normal(0, 0.5, count))
    bought = volume * random.uniform(0.2, 0.8, count)
    mean = (opened + close) / 2
    times = pd.date_range(start, periods=count, freq=f"{minutes}min", tz="UTC")
    return pd.DataFrame(
        {
            "open_time": times,
            "close_time": times + pd.Timedelta(minutes=minutes) - pd.Timedelta(milliseconds=1),
            "open": opened,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
            "quote_volume": volume * mean,
            "trades": random.integers(50, 5_000, count),
            "taker_buy_base": bought,
            "taker_buy_quote": bought * mean,
        }
    )


def recorded(folder: Path, symbol: str) -> pd.DataFrame:
    """Return the recorded 1m candles of ``symbol``: 4,320 without a gap."""
    days = sorted((folder / "klines").glob(f"{symbol}-1m-*.csv"))
    frame = pd.concat([pd.read_csv(day, names=_ARCHIVE.split()) for day in days], ignore_index=True)
    frame["open_time"] = pd.to_datetime(frame["open_ms"] // 1_000, unit="ms", utc=True)
    frame["close_time"] = pd.to_datetime(frame["close_ms"] // 1_000, unit="ms", utc=True)
    return frame
