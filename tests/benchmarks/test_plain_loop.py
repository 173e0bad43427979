"""The plain loop brings what the product brings: a peer that lost candles would be no peer."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from benchmarks.programs import watch
from cryptobot.market import Interval, Kline, Span
from cryptobot.market.span import dump_spans
from cryptobot.settings import Settings
from cryptobot.storage.collections import HISTORICAL_DATA
from tests.exchange_server import running_exchange


def test_every_candle_is_stored_once_as_the_product_stores_it(
    app_settings: Settings, database: Database[dict[str, Any]]
) -> None:
    start = datetime(2024, 3, 5, tzinfo=UTC)
    span = Span("BTCUSDT", Interval.MINUTE_1, start, start + timedelta(minutes=2_500))
    uri, name = app_settings.mongo_uri.get_secret_value(), app_settings.mongo_database
    with running_exchange() as url:
        command = [sys.executable, "-m", "benchmarks.plain_loop", url, uri, name, dump_spans([span])]
        assert float(watch(command).text) > 0
        watch(command)
    stored = list(database[HISTORICAL_DATA].find().sort("open_time"))
    assert [row["open_time"] for row in stored] == [start + timedelta(minutes=m) for m in range(2_500)]
    assert stored[0]["_id"] == f"BTCUSDT|1m|{span.start_ms}"
    assert set(Kline.__slots__) - {"symbol", "interval"} <= set(stored[0])
