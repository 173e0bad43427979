"""A chunk of rows into a real MongoDB: written once, corrected with a log, refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database
from pyspark.sql import SparkSession

from cryptobot.market import Interval, Span
from cryptobot.settings import Settings
from cryptobot.storage import candles
from spark_jobs.ingestion import Ingestion
from spark_jobs.tally import FIGURES, Tally
from tests.spark_jobs.rows import NOW, START, frame, row

pytestmark = pytest.mark.slow

Db = Database[dict[str, Any]]
Ingest = Callable[..., Tally]
HOURS = 48
SPAN = Span("BTCUSDT", Interval.HOUR_1, START, START + timedelta(hours=HOURS))


@pytest.fixture
def ingest(spark: SparkSession, app_settings: Settings, database: Db) -> Ingest:
    """Ingest rows as if the source had given them; return the tally of the one span."""

    def run(rows: list[dict[str, Any]], *, overwrite: bool = False) -> Tally:
        def read(_: object) -> Any:
            return frame(spark, rows)

        (tally,) = Ingestion(spark, app_settings, database, read, NOW, "report", overwrite).chunk((SPAN,))
        return tally

    return run


def hours(*left_out: int, **changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [row(hour, **changes.get(f"h{hour}", {})) for hour in range(HOURS) if hour not in left_out]


def stored(database: Db) -> list[dict[str, Any]]:
    return list(database["historical_data"].find().sort("_id"))


def figures(tally: Tally) -> dict[str, int]:
    return {name: value for name in FIGURES if name != "rows" and (value := getattr(tally, name))}


def test_the_same_rows_twice_change_nothing(ingest: Ingest, database: Db) -> None:
    off_grid = {
        "open_time": START + timedelta(hours=20, minutes=2),
        "close_time": START + timedelta(hours=21, milliseconds=-1),
    }
    rows = hours(5, 6, h20=off_grid)
    assert figures(ingest(rows)) == {"off_grid": 1, "inserted": 46, "stored": 46, "missing": 2}
    first = stored(database), list(database["gaps"].find())
    assert figures(ingest(rows))["unchanged"] == 46
    assert (stored(database), list(database["gaps"].find())) == first
    assert database["corrections"].count_documents({}) == 0
    marked = [document.get("marks") for document in first[0] if "marks" in document]
    assert marked == [["off_grid"]]


def test_rows_that_are_no_candles_are_kept_apart_with_the_reason(ingest: Ingest, database: Db) -> None:
    broken = {"h7": {"high": 1.0}, "h8": {"close": None, "raw": '[1,"x"]'}}
    rows = [*hours(**broken), row(30, repeat=1)]
    tally = ingest(rows)
    assert figures(tally) == {
        "duplicates": 1, "quarantined": 2, "inserted": 46, "stored": 46, "missing": 2,
    }  # fmt: skip
    entries = {entry["reason"]: entry for entry in database["quarantine"].find()}
    assert {reason: entry["state"] for reason, entry in entries.items()} == {
        "high is below low": "open",
        "close cannot be read": "open",
        "repeated: a row of this open time came before": "resolved",
    }
    unreadable = entries["close cannot be read"]
    assert unreadable["raw"] == '[1,"x"]'
    assert unreadable["open_time"] == unreadable["fields"]["open_time"] == START + timedelta(hours=8)
    assert "close" not in unreadable["fields"]
    assert [gap["state"] for gap in database["gaps"].find()] == ["open"]

    before = list(database["quarantine"].find())
    ingest(rows)
    assert list(database["quarantine"].find()) == before

    assert figures(ingest(hours())) == {"inserted": 2, "unchanged": 46, "stored": 48}
    assert {entry["state"] for entry in database["quarantine"].find()} == {"resolved"}
    assert [gap["state"] for gap in database["gaps"].find()] == ["repaired"]


def test_a_correction_replaces_the_candle_and_is_logged(ingest: Ingest, database: Db) -> None:
    ingest(hours(3))
    before = stored(database)
    tally = ingest(hours(h11={"volume": 12.5}))
    assert figures(tally) == {"inserted": 1, "corrected": 1, "unchanged": 46, "stored": 48}
    (correction,) = database["corrections"].find()
    assert correction["_id"].startswith(before[10]["_id"] + "|")
    assert (correction["before"]["volume"], correction["after"]["volume"]) == (10.0, 12.5)
    assert correction["open_time"] == START + timedelta(hours=11)
    assert correction["report"] == "report"
    now = {document["_id"]: document for document in stored(database)}
    assert now[before[10]["_id"]]["volume"] == 12.5
    untouched = [document for document in before if document["_id"] != before[10]["_id"]]
    assert [now[document["_id"]] for document in untouched] == untouched


def test_overwritten_the_range_is_exactly_what_the_source_has(ingest: Ingest, database: Db) -> None:
    ingest(hours())
    before = {document["_id"]: document for document in stored(database)}
    tally = ingest(hours(40, 41, h2={"trades": 9}, h4={"high": 1.0}), overwrite=True)
    assert figures(tally) == {
        "corrected": 1, "removed": 2, "unchanged": 44, "quarantined": 1, "stored": 46, "missing": 2,
    }  # fmt: skip
    now = {document["_id"]: document for document in stored(database)}
    kept = f"BTCUSDT|1h|{int((START + timedelta(hours=4)).timestamp() * 1_000)}"
    assert now[kept] == before[kept]  # a broken row is no reason to lose a sound candle
    assert all(now[key]["ingested_at"] > before[key]["ingested_at"] for key in now if key != kept)
    logged = list(database["corrections"].find().sort("open_time"))
    assert [entry["open_time"].hour for entry in logged] == [2, 16, 17]
    assert [entry.get("after") is None for entry in logged] == [False, True, True]


def test_a_run_that_meets_another_at_work_compares_again(
    ingest: Ingest, database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(hours(*range(24, HOURS)))
    before = stored(database)
    count, first = candles.count, iter([True])  # the run saw nothing stored before the other one wrote
    monkeypatch.setattr(candles, "count", lambda *args: 0 if next(first, False) else count(*args))
    tally = ingest(hours())
    assert (tally.rows, tally.stored, tally.missing) == (48, 48, 0)
    now = {document["_id"]: document for document in stored(database)}
    assert [now[document["_id"]] for document in before] == before
