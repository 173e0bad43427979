from __future__ import annotations

from datetime import timedelta
from typing import Any

from pymongo.database import Database

from cryptobot.market import Interval, Span
from cryptobot.storage import candles
from cryptobot.storage.job_reports import find_report, report_spans, save_report
from tests.expectations.candles import START, documents, whole_span


def test_a_span_is_half_open_and_of_one_symbol(database: Database[dict[str, Any]]) -> None:
    database["historical_data"].insert_many(documents() + documents("ETHUSDT"))
    span = Span("BTCUSDT", Interval.HOUR_1, START + timedelta(hours=1), START + timedelta(hours=4))
    expected = [START + timedelta(hours=hour) for hour in (1, 2, 3)]
    assert candles.count(database, span) == 3
    assert list(candles.open_times(database, span)) == expected
    assert [document["open_time"] for document in candles.documents(database, span)] == expected


def test_open_times_are_answered_by_the_index_alone(database: Database[dict[str, Any]]) -> None:
    database["historical_data"].insert_many(documents())
    database.command("profile", 2)
    list(candles.open_times(database, whole_span()))
    database.command("profile", 0)
    query = {"op": "query", "ns": f"{database.name}.historical_data"}
    (profiled,) = database["system.profile"].find(query)
    assert profiled["docsExamined"] == 0
    assert "SORT" not in profiled["planSummary"]


def test_a_report_is_read_back_and_replaced_by_its_own_repetition(database: Database[dict[str, Any]]) -> None:
    span = whole_span()
    entry = {"symbol": span.symbol, "interval": "1h", "start": span.start, "end": span.end}
    for rows in (7, 48):
        save_report(database, {"_id": "run", "job": "historical_data", "spans": [{**entry, "rows": rows}]})
    found = find_report(database, "run")
    assert found is not None
    assert report_spans(found) == [(span, 48)]
    assert find_report(database, "other") is None
