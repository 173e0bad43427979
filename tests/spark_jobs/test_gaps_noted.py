from __future__ import annotations

from datetime import timedelta
from typing import Any

from pymongo.database import Database

from cryptobot.market import Interval, Span
from cryptobot.market.instant import EPOCH
from spark_jobs.historical_data import SpanRead, note_gaps
from tests.expectations.candles import HOURS, START, documents, whole_span


def test_what_the_exchange_does_not_have_is_recorded_and_never_filled(
    database: Database[dict[str, Any]],
) -> None:
    stored = documents()
    database["historical_data"].insert_many(stored[:10] + stored[13:])
    note_gaps(database, [SpanRead(whole_span(), HOURS - 3, None, None)])
    (gap,) = database["gaps"].find()
    assert (gap["from"], gap["to"]) == (START + timedelta(hours=10), START + timedelta(hours=13))
    assert (gap["state"], gap["found_by"]) == ("absent at the source", "historical_data")
    assert database["historical_data"].count_documents({}) == HOURS - 3


def test_a_symbol_without_any_record_has_no_gap(database: Database[dict[str, Any]]) -> None:
    unbounded = Span("BTCUSDT", Interval.HOUR_1, EPOCH, START)
    note_gaps(database, [SpanRead(unbounded, 0, None, None)])
    assert database["gaps"].count_documents({}) == 0
