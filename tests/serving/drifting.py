"""A market whose features are what a model was trained on, or no longer are, for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from pymongo.database import Database

from cryptobot.features import FEATURE_SET
from cryptobot.serving.manifest import Window
from tests.features.market import walk
from tests.serving.models import promote_model
from tests.spark_jobs.market import store_candles

Db = Database[dict[str, Any]]

START = datetime(2026, 1, 1, tzinfo=UTC)
TRAINED, AFTER = 2_000, 400
"""Candles of a quarter of an hour that the model was trained on, and those since."""
STEP = timedelta(minutes=15)


def train(database: Db, symbol: str = "BTCUSDT", **changes: Any) -> str:
    """Make a champion that was trained on the first candles; return its version."""
    window = Window(start=START, end=START + (TRAINED - 1) * STEP)
    return promote_model(database, 0, symbol, window=window, **changes)


def store_features(database: Db, shift: float = 0.0, symbol: str = "BTCUSDT", after: int = AFTER) -> None:
    """Store features as the tests' models were trained on, all of them moved by ``shift`` since."""
    values = np.random.default_rng(7).normal(size=(TRAINED + after, len(FEATURE_SET.names)))
    values[TRAINED:] += shift
    database.features.insert_many(
        {
            "_id": f"{symbol}|15m|{row}|{FEATURE_SET.version}",
            "symbol": symbol,
            "interval": "15m",
            "open_time": START + row * STEP,
            "version": FEATURE_SET.version,
            "values": dict(zip(FEATURE_SET.names, map(float, found), strict=True)),
        }
        for row, found in enumerate(values)
    )


def store_signals(
    database: Db, version: str, signal: str, probabilities: dict[str, float], symbol: str = "BTCUSDT"
) -> None:
    """Store the same signal of every candle, on a market that goes its own way."""
    store_candles(database, symbol, "15m", walk(TRAINED + AFTER, start=f"{START:%Y-%m-%d}"))
    database.signals.insert_many(
        {
            "_id": f"{symbol}|15m|{row}|{version}",
            "symbol": symbol,
            "interval": "15m",
            "open_time": START + row * STEP,
            "signal": signal,
            "probabilities": probabilities,
            "model_version": version,
        }
        for row in range(TRAINED - 100, TRAINED + AFTER)
    )
