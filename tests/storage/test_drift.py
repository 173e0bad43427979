"""Days of drift, and the signals that they are measured by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from cryptobot.settings import Settings
from cryptobot.storage import drift
from cryptobot.storage.database import connect_async
from cryptobot.storage.signals import signals_after
from tests.dashboard.models import add_drift

Db = Database[dict[str, Any]]
NOW = datetime(2026, 1, 10, 15, tzinfo=UTC)


async def test_the_newest_days_of_a_version_come_in_rising_order(
    database: Db, app_settings: Settings
) -> None:
    for version in ("v1", "v2"):
        add_drift(database, "BTCUSDT", version, NOW, drifted=False)
    add_drift(database, "BTCUSDT", "v1", NOW, drifted=True)
    assert database.drift.count_documents({}) == 60, "measured again, a day replaces itself"
    found = await drift.of_version(connect_async(app_settings), "v1", 3)
    assert [day["_id"] for day in found] == [f"BTCUSDT|v1|2026-01-{day:02}" for day in (8, 9, 10)]
    assert found[-1]["drifted"]


def test_a_day_that_is_none_is_refused_by_the_server(database: Db) -> None:
    with pytest.raises(BulkWriteError, match="failed validation"):
        drift.save(database, [{"_id": "x", "symbol": "BTCUSDT"}])
    assert drift.save(database, []) == 0


def test_a_candle_has_one_signal_of_a_model_and_none_of_its_training(database: Db) -> None:
    for number, (source, version) in enumerate(
        [("batch", "v1"), ("live", "v1"), ("batch", "v1"), ("batch", "v2")]
    ):
        database.signals.insert_one(
            {
                "_id": f"{number}|{source}",
                "symbol": "BTCUSDT",
                "open_time": NOW + timedelta(minutes=15 * max(1, number)),
                "signal": "buy",
                "probabilities": {"buy": 1.0},
                "model_version": version,
            }
        )
    said = signals_after(database, "BTCUSDT", "v1", NOW)
    assert [signal["open_time"] - NOW for signal in said] == [timedelta(minutes=15), timedelta(minutes=30)]
    assert signals_after(database, "BTCUSDT", "v1", NOW + timedelta(minutes=15)) == said[1:]
