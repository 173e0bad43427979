"""Days as partitions of the batch assets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.market import Interval, Kline, Span
from cryptobot.storage.collections import HISTORICAL_DATA
from cryptobot.storage.partitions import (
    MissingReportError,
    bounds,
    covered_spans,
    days_held,
    require_report,
)

START = datetime(2025, 10, 29, 22, tzinfo=UTC)


def candle(open_time: datetime) -> dict[str, Any]:
    prices = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
    volumes = {"volume": 0.0, "quote_volume": 0.0, "taker_buy_base": 0.0, "taker_buy_quote": 0.0}
    close_time = open_time + timedelta(hours=1)
    kline = Kline("BTCUSDT", Interval.HOUR_1, open_time, close_time, trades=0, **prices, **volumes)
    fields = {name: getattr(kline, name) for name in kline.__slots__}
    return {"_id": kline.key, **fields, "interval": "1h", "source": "rest", "ingested_at": START}


def test_only_days_that_hold_candles_are_partitions(database: Database[dict[str, Any]]) -> None:
    opened = [START, START + timedelta(hours=1), START + timedelta(days=2)]
    database[HISTORICAL_DATA].insert_many([candle(at) for at in opened])
    span = Span("BTCUSDT", Interval.HOUR_1, START, START + timedelta(days=3))
    assert days_held(database, [span]) == ["2025-10-29", "2025-10-31"]


def test_a_reports_spans_are_narrowed_to_what_was_found() -> None:
    asked = {"symbol": "BTCUSDT", "start": datetime(1970, 1, 1, tzinfo=UTC), "end": START + timedelta(days=9)}
    found = {
        "interval": "1h",
        "rows": 2,
        "first_open_time": START,
        "last_open_time": START + timedelta(hours=1),
    }
    absent = {"interval": "1d", "rows": 0, "first_open_time": None, "last_open_time": None}
    spans = covered_spans({"spans": [{**asked, **found}, {**asked, **absent}]})
    assert bounds(spans) == (START, START + timedelta(hours=2))
    assert [span.interval for span in spans] == ["1h"]


def test_a_job_without_a_report_did_not_finish(database: Database[dict[str, Any]]) -> None:
    with pytest.raises(MissingReportError, match="run-7"):
        require_report(database, "run-7")
