"""Recorded hours through the archive and by REST: nothing kept twice, nothing invented, bit for bit."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database
from pyspark.sql import SparkSession

from cryptobot.exchange.pace import DEFAULT_LIMIT
from cryptobot.market import Interval, Kline, Span
from cryptobot.settings import Settings
from spark_jobs import sources
from spark_jobs.historical_data import Source, ingest, read_source
from spark_jobs.ingestion import Ingestion
from spark_jobs.plan import Plan
from spark_jobs.tally import Tally
from tests.exchange_server import running_exchange
from tests.spark_jobs.archives import publish, publish_dirty, served

pytestmark = pytest.mark.slow

Db = Database[dict[str, Any]]
HOUR = timedelta(hours=1)
ABSENT = "absent at the source"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[str]:
    with served(tmp_path) as address:
        yield address


def ingested(
    spark: SparkSession, settings: Settings, database: Db, spans: list[Span], by: Source
) -> list[Tally]:
    sources.register(spark)
    plan = Plan(spans, [], datetime(2026, 1, 1, tzinfo=UTC), DEFAULT_LIMIT)
    read = partial(read_source, spark, settings, plan, by)
    return ingest(Ingestion(spark, settings, database, read, plan.now, "report"), spans)


def test_of_the_dirty_record_each_repetition_and_each_missing_hour_is_reported(
    spark: SparkSession, app_settings: Settings, database: Db, shared_data: Path, tmp_path: Path, archive: str
) -> None:
    settings = app_settings.model_copy(update={"archive_url": archive, "rest_url": "http://127.0.0.1:9"})
    times, spans = {}, []
    for symbol in ("BTCUSDT", "ETHUSDT"):
        source = shared_data / "dirty" / f"{symbol}-1h-2020-11_2021-05.csv"
        times[symbol] = publish_dirty(tmp_path, source, symbol)
        spans.append(Span(symbol, Interval.HOUR_1, min(times[symbol]), max(times[symbol]) + HOUR))
    tallies = ingested(spark, settings, database, spans, "archive")

    for tally in tallies:
        rows = times[tally.span.symbol]
        assert (tally.duplicates, tally.missing) == (5, 12)
        assert tally.rows == tally.stored == len(set(rows)) == len(rows) - 5
        stored = database["historical_data"].find({"symbol": tally.span.symbol}).sort("open_time")
        assert [document["open_time"] for document in stored] == sorted(set(rows))
        repeated = {at for at, times_seen in Counter(rows).items() if times_seen > 1}
        entries = list(database["quarantine"].find({"symbol": tally.span.symbol}))
        assert {entry["open_time"] for entry in entries} == repeated
        assert {entry["state"] for entry in entries} == {"resolved"}
        assert all("repeated" in entry["reason"] for entry in entries)
        gaps = list(database["gaps"].find({"symbol": tally.span.symbol}))
        lost = {gap["from"] + i * HOUR for gap in gaps for i in range((gap["to"] - gap["from"]) // HOUR)}
        grid = (tally.span.end - tally.span.start) // HOUR
        assert lost == {tally.span.start + i * HOUR for i in range(grid)} - set(rows)
        assert {gap["state"] for gap in gaps} == {ABSENT}
    assert sum(tally.duplicates for tally in tallies) == 10
    assert sum(tally.missing for tally in tallies) == 24


def test_the_hours_of_2023_are_the_same_bit_for_bit_through_archive_and_rest(
    spark: SparkSession, app_settings: Settings, database: Db, shared_data: Path, tmp_path: Path, archive: str
) -> None:
    truth = {}
    for path in sorted((shared_data / "klines").glob("BTCUSDT-1h-2023-*.csv")):
        publish(tmp_path, "BTCUSDT", path.stem[-7:], path.read_text())
        with path.open() as file:
            for line in list(csv.reader(file))[1:]:
                kline = Kline.from_rest("BTCUSDT", Interval.HOUR_1, line)
                truth[kline.key] = kline
    span = Span(
        "BTCUSDT", Interval.HOUR_1, datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC)
    )
    settings = app_settings.model_copy(update={"archive_url": archive, "rest_url": "http://127.0.0.1:9"})
    (tally,) = ingested(spark, settings, database, [span], "archive")
    assert (tally.inserted, tally.missing) == (len(truth), 1)
    stored = {document["_id"]: document for document in database["historical_data"].find()}
    assert stored.keys() == truth.keys()
    for key, kline in truth.items():
        for name in Kline.__slots__:
            assert stored[key][name] == getattr(kline, name)
    (halt,) = database["gaps"].find()
    halted = datetime(2023, 3, 24, 13, tzinfo=UTC)
    assert (halt["from"], halt["to"], halt["state"]) == (halted, halted + HOUR, ABSENT)

    with running_exchange(REPLAY_DIR=str(shared_data / "klines")) as url:
        by_rest = app_settings.model_copy(update={"rest_url": url})
        (tally,) = ingested(spark, by_rest, database, [span], "rest")
    assert (tally.rows, tally.unchanged, tally.corrected) == (len(truth), len(truth), 0)
    assert {document["_id"]: document for document in database["historical_data"].find()} == stored
    assert list(database["gaps"].find()) == [halt]
