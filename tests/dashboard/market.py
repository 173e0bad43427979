"""What the tests put into the database: a market of two pairs with champions and signals."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from cryptobot.market import Interval, kline_id
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.storage import collections as names
from tests.dashboard.models import add_backtest, add_challengers, add_drift, metrics

Document = dict[str, Any]

PRICES = {"BTCUSDT": 67_000.0, "ETHUSDT": 3_400.0}
INTERVALS = ("1m", "15m", "1h", "1d")
_VERSION = "{}-20261122T120000Z-0a1b2c3d"
_SIGNALS = ("hold", "buy", "hold", "sell")


def fill(database: Database[Document], now: datetime) -> None:
    """Write 300 candles of each interval, 40 signals, a champion and a ticker for each pair."""
    for symbol in PRICES:
        for interval in INTERVALS:
            database[names.HISTORICAL_DATA].insert_many(candles(symbol, interval, 300, now))
        database[names.SIGNALS].insert_many(signals(symbol, candles(symbol, "15m", 40, now)))
        add_champion(database, symbol, now)
        add_backtest(database, symbol, _VERSION.format(symbol), now)
        add_challengers(database, symbol, now)
        add_drift(database, symbol, _VERSION.format(symbol), now, drifted=symbol == "BTCUSDT")
        set_ticker(database, symbol, PRICES[symbol], now)
    database[names.SERVICE_HEALTH].insert_one(
        {
            "_id": "producer:1@test",
            "service": "producer",
            "instance": "1@test",
            "state": "healthy",
            "seen_at": now + timedelta(hours=1),
            "detail": {},
        }
    )


def candles(symbol: str, interval: str, count: int, now: datetime) -> list[Document]:
    """Return the ``count`` candles that closed last before ``now``."""
    grid = Interval(interval)
    first = grid.floor(to_ms(now)) - count * grid.milliseconds
    return [_candle(symbol, grid, first + index * grid.milliseconds, index) for index in range(count)]


def _candle(symbol: str, interval: Interval, open_ms: int, index: int) -> Document:
    level = PRICES[symbol] * (1 + 0.01 * math.sin(index / 9) + 0.002 * math.sin(index * 1.7))
    close = level * (1 + 0.002 * math.sin(index * 2.3))
    return {
        "_id": kline_id(symbol, interval, open_ms),
        "symbol": symbol,
        "interval": interval.value,
        "open_time": from_ms(open_ms),
        "close_time": from_ms(interval.following(open_ms) - 1),
        "open": level,
        "high": max(level, close) * 1.001,
        "low": min(level, close) * 0.999,
        "close": close,
        "volume": 20.0 + 10 * math.sin(index / 5),
        "quote_volume": 20.0 * level,
        "trades": 100,
        "taker_buy_base": 10.0,
        "taker_buy_quote": 10.0 * level,
        "source": "rest",
        "ingested_at": datetime.now(UTC),
    }


def signals(symbol: str, of: list[Document]) -> list[Document]:
    """Return a signal for each of the candles."""
    version = _VERSION.format(symbol)
    return [
        {
            "_id": f"{candle['_id']}|{version}",
            **{name: candle[name] for name in ("symbol", "interval", "open_time", "close_time", "close")},
            "signal": _SIGNALS[index % 4],
            "probabilities": {"sell": 0.2, "hold": 0.2, "buy": 0.6},
            "confidence": 0.6,
            "model_version": version,
            "fit": symbol == "BTCUSDT",
            "created_at": candle["close_time"],
            "source": "batch",
        }
        for index, candle in enumerate(of)
    ]


def add_champion(database: Database[Document], symbol: str, now: datetime) -> None:
    """Make a model without a bundle the champion: enough to be shown, not to predict."""
    version = _VERSION.format(symbol)
    fit = symbol == "BTCUSDT"
    database[names.MODELS].insert_one(
        {
            "_id": version,
            "version": version,
            "symbol": symbol,
            "interval": "15m",
            "algorithm": "xgboost",
            "metrics": metrics(),
            "fit": fit,
            "window": {"start": now - timedelta(days=90), "end": now},
            "feature_set": {"version": "1"},
            "state": "champion",
            "created_at": now,
        }
    )
    database[names.CHAMPIONS].insert_one(
        {
            "_id": symbol,
            "version": version,
            "previous": None,
            "promoted_at": now - timedelta(hours=3),
            "reason": "first model",
            "fit": fit,
        }
    )


def set_ticker(database: Database[Document], symbol: str, price: float, now: datetime) -> None:
    """Replace a pair's ticker, as the sink does."""
    ticker = {
        "_id": f"ticker|{symbol}",
        "kind": "ticker",
        "symbol": symbol,
        "close": price,
        "open": PRICES[symbol] * 0.98,
        "high": price * 1.01,
        "low": price * 0.97,
        "volume": 1_234.0,
        "quote_volume": 1_234.0 * price,
        "event_time": now,
        "received_at": now,
    }
    database[names.STREAMING_DATA].replace_one({"_id": ticker["_id"]}, ticker, upsert=True)
