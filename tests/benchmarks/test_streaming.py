"""How the live path is measured: what the reader counts, and how a slope is told from noise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from pymongo.database import Database

from benchmarks.soak import _trend
from benchmarks.streaming_latency import Reader, percentiles
from cryptobot.storage.collections import STREAMING_DATA
from tests.servers import wait_until

Db = Database[dict[str, Any]]


def trade(trade_id: int, age: timedelta) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "_id": f"trade|BTCUSDT|{trade_id}",
        "kind": "trade",
        "symbol": "BTCUSDT",
        "trade_id": trade_id,
        "price": 1.0,
        "quantity": 1.0,
        "buyer_is_maker": True,
        "event_time": now - age,
        "received_at": now,
        "source": "stream",
    }


def test_the_reader_notes_each_trade_once_in_whatever_order_it_is_stored(database: Db) -> None:
    database[STREAMING_DATA].insert_one(trade(1, timedelta(0)))
    reader = Reader(database, ["BTCUSDT"])
    reader.start()
    for place, trade_id in enumerate((3, 4, 2, 6, 5)):
        database[STREAMING_DATA].insert_one(trade(trade_id, timedelta(seconds=1)))
        wait_until(lambda place=place: len(reader.latencies_ms) == place + 1, limit=10, what="the trade")
    reader.end()
    assert len(reader.latencies_ms) == 5
    assert all(1_000 <= latency < 4_000 for latency in reader.latencies_ms)


def test_percentiles_are_of_all_latencies() -> None:
    found = percentiles([float(value) for value in range(101)])
    assert found == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}
    with pytest.raises(RuntimeError, match="nothing was stored"):
        percentiles([])


def test_a_slope_stands_beside_how_sure_it_is() -> None:
    noise = np.random.default_rng(1).normal(size=180)
    hours = np.arange(180) / 360
    flat = _trend("memory_sink_mb", [(hour, 50 + one) for hour, one in zip(hours, noise, strict=True)])
    grows = _trend(
        "memory_sink_mb", [(hour, 50 + 60 * hour + one) for hour, one in zip(hours, noise, strict=True)]
    )
    (_, flat_slope, flat_within), (_, slope, within) = flat, grows
    assert abs(flat_slope.value) < flat_within.value
    assert abs(slope.value - 60) < within.value < 10
