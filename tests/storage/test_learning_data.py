"""Repositories of features and of backtests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from pymongo.database import Database

from cryptobot.features import FEATURE_SET
from cryptobot.market import Interval, Span
from cryptobot.storage import backtests, features

Store = Database[dict[str, Any]]
START = datetime(2026, 1, 1, tzinfo=UTC)


def test_backtests_come_newest_first_and_replace_themselves(database: Store) -> None:
    for day in (0, 1, 1, 2):
        made = {"_id": f"BTCUSDT-{day}", "symbol": "BTCUSDT", "created_at": START + timedelta(day)}
        backtests.save(database, made)
    backtests.save(database, {"_id": "ETHUSDT-9", "symbol": "ETHUSDT", "created_at": START + timedelta(9)})
    found = [backtest["_id"] for backtest in backtests.newest(database, "BTCUSDT", limit=2)]
    assert found == ["BTCUSDT-2", "BTCUSDT-1"]
    assert len(backtests.newest(database, "BTCUSDT")) == 3


def test_features_are_read_in_order_with_nulls_as_nan(database: Store) -> None:
    for i in (2, 0, 1, 5):
        for version in ("v0", FEATURE_SET.version):
            database["features"].insert_one(
                {
                    "_id": f"BTCUSDT|15m|{i}|{version}",
                    "symbol": "BTCUSDT",
                    "interval": "15m",
                    "open_time": START + i * timedelta(minutes=15),
                    "version": version,
                    "values": {name: None if i == 0 else float(i) for name in reversed(FEATURE_SET.names)},
                }
            )
    span = Span("BTCUSDT", Interval.MINUTE_15, START, START + timedelta(hours=1))
    found = features.load(database, span, FEATURE_SET)
    assert found.columns.tolist() == ["open_time", *FEATURE_SET.names]
    assert found["open_time"].tolist() == [START + i * timedelta(minutes=15) for i in range(3)]
    np.testing.assert_array_equal(found["return_4"], [np.nan, 1, 2])
    assert features.count(database, span, FEATURE_SET.version) == 3
    known = features.known_until(database, ["BTCUSDT", "ETHUSDT"], Interval.MINUTE_15, FEATURE_SET.version)
    assert known == START + timedelta(minutes=90)
    assert features.known_until(database, ["ETHUSDT"], Interval.MINUTE_15, FEATURE_SET.version) is None
    empty = Span("ETHUSDT", Interval.MINUTE_15, START, START + timedelta(hours=1))
    assert features.load(database, empty, FEATURE_SET).shape == (0, 41)
