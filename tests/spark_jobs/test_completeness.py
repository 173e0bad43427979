"""What the grid misses after a read: recorded with what is known of it, and never filled."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database

from cryptobot.storage import quarantine
from cryptobot.storage.candles import remove
from spark_jobs.completeness import chart
from spark_jobs.tally import Tally
from tests.expectations.candles import HOURS, START, documents, whole_span


def gaps(database: Database[dict[str, Any]]) -> list[tuple[datetime, datetime, str]]:
    return [(gap["from"], gap["to"], gap["state"]) for gap in database["gaps"].find().sort("from")]


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def test_what_the_source_does_not_have_is_recorded_and_never_filled(
    database: Database[dict[str, Any]],
) -> None:
    stored = documents()
    database["historical_data"].insert_many(stored[:10] + stored[13:])
    assert chart(database, Tally(whole_span(), rows=HOURS - 3, stored=HOURS - 3)) == 3
    assert gaps(database) == [(at(10), at(13), "absent at the source")]
    assert database["historical_data"].count_documents({}) == HOURS - 3
    assert chart(database, Tally(whole_span(), rows=HOURS - 4, stored=HOURS - 3)) == 3
    assert len(gaps(database)) == 1


def test_where_a_row_is_quarantined_a_candle_may_still_come(database: Database[dict[str, Any]]) -> None:
    stored = documents()
    database["historical_data"].insert_many(stored[:10] + stored[14:])
    entry = {
        "_id": f"{stored[11]['_id']}|0",
        "symbol": "BTCUSDT",
        "interval": "1h",
        "open_time": at(11),
        "reason": "high is below low",
        "fields": {},
        "source": "rest",
    }
    quarantine.add(database, [entry, {**entry, "_id": f"{stored[12]['_id']}|0", "open_time": at(12)}])
    assert chart(database, Tally(whole_span(), rows=HOURS - 4)) == 4
    absent, open_ = "absent at the source", "open"
    assert gaps(database) == [(at(10), at(11), absent), (at(11), at(13), open_), (at(13), at(14), absent)]

    database["historical_data"].insert_many(stored[11:13])
    quarantine.resolve(database, whole_span())
    assert {entry["state"] for entry in database["quarantine"].find()} == {"resolved"}
    assert chart(database, Tally(whole_span(), rows=HOURS - 2)) == 2
    assert gaps(database) == [
        (at(10), at(11), absent),
        (at(11), at(13), "repaired"),
        (at(13), at(14), absent),
    ]


def test_a_candle_off_the_grid_fills_the_place_in_which_it_opens(database: Database[dict[str, Any]]) -> None:
    stored = documents()
    stored[7]["open_time"] += timedelta(minutes=2)
    database["historical_data"].insert_many(stored)
    assert chart(database, Tally(whole_span(), rows=HOURS, off_grid=1)) == 0
    remove(database, [stored[20]["_id"]])
    assert chart(database, Tally(whole_span(), rows=HOURS - 1, off_grid=1)) == 1
