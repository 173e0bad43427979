"""The sources' readers as plain objects: what they plan, and what they read of the offline exchange."""

from __future__ import annotations

import csv
import pickle
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.datasource import DataSourceReader

from cryptobot.exchange.candle_columns import SCHEMA
from cryptobot.exchange.errors import ArchiveFileBrokenError, ArchiveFileMissingError, KlinesUnavailableError
from cryptobot.exchange.rest import PAGE
from cryptobot.market import Interval, Kline, Span
from cryptobot.market.span import dump_spans
from cryptobot.spark.failure import cause_of
from spark_jobs import sources
from spark_jobs.sources.binance import CANDLES_PER_PARTITION, BinanceSource, SpanPartition, hours
from spark_jobs.sources.binance_archive import CANDLES_PER_PARTITION as CANDLES_PER_FILES_PARTITION
from spark_jobs.sources.binance_archive import BinanceArchiveSource, FilesPartition
from spark_jobs.sources.columns import ROWS_PER_BATCH
from tests.exchange_server import running_exchange
from tests.servers import free_port

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUARTER = Span("BTCUSDT", Interval.HOUR_1, datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC))
HALT = datetime(2023, 3, 24, 13, tzinfo=UTC)


class Offline:
    """A running exchange that replays the record, and its faults."""

    def __init__(self, url: str, admin: str) -> None:
        self.url, self.admin = url, admin

    def faults(self, **wrong: Any) -> None:
        httpx.post(f"{self.admin}/faults", json=wrong).raise_for_status()


@pytest.fixture(scope="module")
def replay(shared_data: Path) -> Iterator[Offline]:
    port = free_port()
    env = {"REPLAY_DIR": str(shared_data / "klines"), "EXCHANGE_ADMIN_PORT": str(port)}
    with running_exchange(**env) as url:
        yield Offline(url, f"http://127.0.0.1:{port}")


@pytest.fixture
def exchange(replay: Offline) -> Iterator[Offline]:
    yield replay
    httpx.delete(f"{replay.admin}/faults")


def reader(exchange: Offline, *spans: Span, now: datetime = NOW, **options: str) -> DataSourceReader:
    given = {
        "address": exchange.url, "archive": exchange.url, "spans": dump_spans(spans), "now": now.isoformat(),
        "weight_limit": "6000", **options,
    }  # fmt: skip
    source = BinanceArchiveSource(given) if "mode" in options else BinanceSource(given)
    return source.reader(None)  # type: ignore[arg-type]


def batches(reading: DataSourceReader) -> list[pa.RecordBatch]:
    """Read all partitions, each sent to its worker as Spark sends it."""
    sent = pickle.dumps((reading, list(reading.partitions())))
    arrived, partitions = pickle.loads(sent)  # noqa: S301 - what was written a line above
    return [batch for partition in partitions for batch in arrived.read(partition)]


def table(reading: DataSourceReader) -> pa.Table:
    return pa.Table.from_batches(batches(reading), SCHEMA).combine_chunks()


def recorded(shared_data: Path) -> list[Kline]:
    found = []
    for path in sorted((shared_data / "klines").glob("BTCUSDT-1h-2023-*.csv")):
        with path.open() as file:
            lines = list(csv.reader(file))[1:]
        found += [Kline.from_rest("BTCUSDT", Interval.HOUR_1, line) for line in lines]
    return found


class TestRecord:
    @pytest.mark.parametrize("options", [{}, {"mode": "archive"}, {"mode": "auto"}])
    @pytest.mark.parametrize("header", [False, True])
    def test_the_recorded_hours_arrive_bit_for_bit(
        self, exchange: Offline, shared_data: Path, options: dict[str, str], header: bool
    ) -> None:
        exchange.faults(archive_header=header)
        read = table(reader(exchange, QUARTER, **options))
        klines = recorded(shared_data)
        assert len(klines) == 2_159
        for name in set(SCHEMA.names) - {"source", "repeat", "raw"}:
            assert read.column(name).to_pylist() == [getattr(kline, name) for kline in klines]
        assert set(read.column("source").to_pylist()) == {"archive" if options else "rest"}
        assert set(read.column("repeat").to_pylist()) == {0}
        assert read.column("raw").null_count == len(klines)
        assert HALT not in read.column("open_time").to_pylist()

    def test_milliseconds_and_microseconds_are_the_same_instants(self, exchange: Offline) -> None:
        start, end = (datetime(2025, 10, 29, tzinfo=UTC), datetime(2025, 11, 2, tzinfo=UTC))
        span = Span("ETHUSDT", Interval.MINUTE_1, start, end)
        by_rest, by_archive = (table(reader(exchange, span, **given)) for given in ({}, {"mode": "archive"}))
        assert by_rest.num_rows == 4_320
        assert by_archive.drop_columns("source").equals(by_rest.drop_columns("source"))

    def test_symbols_intervals_and_instants_are_options_too(self, exchange: Offline) -> None:
        given = {
            "address": exchange.url, "symbols": "BTCUSDT, ETHUSDT", "intervals": "1h,1d",
            "start": "2017-01-01", "end": "2025-10-30T12:00",
        }  # fmt: skip
        reading = BinanceSource(given).reader(None)  # type: ignore[arg-type]
        read = table(reading)
        kinds = Counter(
            zip(read.column("symbol").to_pylist(), read.column("interval").to_pylist(), strict=True)
        )
        assert set(kinds) == {(symbol, of) for symbol in ("BTCUSDT", "ETHUSDT") for of in ("1h", "1d")}
        assert kinds["BTCUSDT", "1h"] > kinds["ETHUSDT", "1h"] > kinds["ETHUSDT", "1d"]
        assert max(read.column("open_time").to_pylist()) == datetime(2025, 10, 30, 11, tzinfo=UTC)
        assert len(list(reading.partitions())) < 10

    def test_the_open_candle_never_passes(self, exchange: Offline) -> None:
        now = HALT - timedelta(hours=5, minutes=30)
        for options in ({}, {"mode": "archive"}):
            opens = table(reader(exchange, QUARTER, now=now, **options)).column("open_time").to_pylist()
            assert max(opens) == HALT - timedelta(hours=7)


class TestAuto:
    def test_the_last_two_days_come_by_rest(self, exchange: Offline) -> None:
        now = datetime(2023, 3, 20, 7, 30, tzinfo=UTC)
        read = table(reader(exchange, QUARTER, now=now, mode="auto"))
        by_time = dict(
            zip(read.column("open_time").to_pylist(), read.column("source").to_pylist(), strict=True)
        )
        newest_file = datetime(2023, 3, 17, 23, tzinfo=UTC)
        assert by_time[newest_file] == "archive"
        assert by_time[newest_file + timedelta(hours=1)] == "rest"
        assert len(by_time) == (datetime(2023, 3, 20, 7, tzinfo=UTC) - QUARTER.start) / timedelta(hours=1)

    @pytest.mark.parametrize(
        ("wrong", "expected"),
        [
            ({"archive_missing": 1.0}, {"rest"}),
            ({"archive_missing": 0.5, "seed": 1}, {"archive", "rest"}),
        ],
        ids=["no file", "half of the files"],
    )
    def test_what_is_missing_is_read_by_days_and_then_by_rest(
        self, exchange: Offline, wrong: dict[str, float], expected: set[str]
    ) -> None:
        whole = table(reader(exchange, QUARTER))
        exchange.faults(**wrong)
        read = table(reader(exchange, QUARTER, mode="auto")).sort_by("open_time").combine_chunks()
        assert read.drop_columns("source").equals(whole.drop_columns("source"))
        assert set(read.column("source").to_pylist()) == expected

    def test_a_missing_file_is_an_error_in_mode_archive(self, exchange: Offline) -> None:
        exchange.faults(archive_missing=1.0)
        with pytest.raises(ArchiveFileMissingError, match=r"BTCUSDT-1h-2023-01\.zip.* of BTCUSDT"):
            table(reader(exchange, QUARTER, mode="archive"))

    def test_a_month_without_candles_costs_no_request_a_day(self, exchange: Offline) -> None:
        empty = Span(
            "BTCUSDT", Interval.HOUR_1, datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
        )
        assert table(reader(exchange, empty, mode="auto")).num_rows == 0


class TestTrouble:
    def test_what_is_repeated_or_broken_arrives_marked(self, exchange: Offline, shared_data: Path) -> None:
        exchange.faults(repeated_rows=0.05, unordered_rows=0.05, broken_rows=0.01)
        by_rest, by_archive = (
            table(reader(exchange, QUARTER, **given)) for given in ({}, {"mode": "archive"})
        )
        firsts = [open_time for open_time, nth in _keys(by_rest) if nth == 0]
        assert sorted(firsts) == [kline.open_time for kline in recorded(shared_data)]
        assert set(by_rest.column("repeat").to_pylist()) == {0, 1}
        assert 0 < by_rest.num_rows - by_rest.column("raw").null_count < 60
        assert sorted(_keys(by_rest)) == sorted(_keys(by_archive))
        assert by_archive.column("raw").null_count == by_rest.column("raw").null_count

    def test_lasting_trouble_names_symbol_interval_and_range(
        self, exchange: Offline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cryptobot.exchange.patience.ATTEMPTS", 2)
        exchange.faults(status=503)
        with pytest.raises(KlinesUnavailableError, match=r"BTCUSDT 1h from 2023-01-01.* to 2023-.*503"):
            table(reader(exchange, QUARTER))

    def test_a_checksum_that_stays_wrong_names_the_file(
        self, exchange: Offline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cryptobot.exchange.patience.ATTEMPTS", 2)
        exchange.faults(archive_wrong_checksum=1.0)
        with pytest.raises(ArchiveFileBrokenError, match=r"BTCUSDT-1h-2023-0\d\.zip of BTCUSDT.*sha256"):
            table(reader(exchange, QUARTER, mode="archive"))


def _keys(read: pa.Table) -> list[tuple[datetime, int]]:
    return list(zip(read.column("open_time").to_pylist(), read.column("repeat").to_pylist(), strict=True))


class TestPartitions:
    YEARS = Span(
        "BTCUSDT", Interval.MINUTE_1, datetime(2023, 1, 15, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    )
    EXCHANGE = Offline("http://nowhere", "")

    def test_by_rest_each_holds_a_bounded_number_of_candles(self) -> None:
        partitions = list(reader(self.EXCHANGE, self.YEARS).partitions())
        spans = [partition.span for partition in partitions if isinstance(partition, SpanPartition)]
        assert (
            len(spans)
            == len(partitions)
            == -(
                -self.YEARS.interval.candles_between(self.YEARS.start_ms, self.YEARS.end_ms)
                // CANDLES_PER_PARTITION
            )
        )
        assert CANDLES_PER_PARTITION % PAGE == 0

    def test_by_the_archive_small_files_go_together_and_a_month_of_minutes_alone(self) -> None:
        hours_of = Span("ETHUSDT", Interval.HOUR_1, self.YEARS.start, self.YEARS.end)
        partitions = list(reader(self.EXCHANGE, self.YEARS, hours_of, mode="archive").partitions())
        files = [partition.parts for partition in partitions if isinstance(partition, FilesPartition)]
        assert len(files) == len(partitions)
        for parts in files:
            minutes = sum((part.span.end - part.span.start) // timedelta(minutes=1) for part in parts)
            assert parts[0].span.interval is Interval.HOUR_1 or minutes <= CANDLES_PER_FILES_PARTITION
            assert len({(part.span.symbol, part.span.interval) for part in parts}) == 1
        assert max(len(parts) for parts in files) == 12
        assert sum(map(len, files)) == 2 * (17 + 23)

    def test_trades_are_read_by_the_hour_of_the_clock_up_to_now(self) -> None:
        start = datetime(2026, 1, 1, 5, 30, tzinfo=UTC)
        span = Span("BTCUSDT", Interval.HOUR_1, start, start + timedelta(days=1))
        pieces = list(hours(span, datetime(2026, 1, 1, 7, 10, tzinfo=UTC)))
        assert [(piece.start.hour, piece.start.minute) for piece in pieces] == [(5, 30), (6, 0), (7, 0)]
        assert pieces[-1].end == datetime(2026, 1, 1, 7, 10, tzinfo=UTC)


class TestOptions:
    @pytest.mark.parametrize(
        ("source", "options", "named"),
        [
            (BinanceSource, {}, "address"),
            (BinanceSource, {"address": "http://x", "now": "2026-01-01", "weight_limit": "9"}, "start"),
            (BinanceSource, {"address": "http://x", "kind": "trades"}, "kind"),
            (BinanceArchiveSource, {"address": "http://x", "mode": "both"}, "mode"),
            (BinanceArchiveSource, {"address": "http://x", "kind": "aggTrades"}, "aggTrades"),
        ],
    )
    def test_what_is_missing_or_wrong_is_named(
        self, source: Any, options: dict[str, str], named: str
    ) -> None:
        def begin() -> None:
            source(options).schema()
            source(options).reader(None)

        with pytest.raises(ValueError, match=named):
            begin()

    def test_batches_are_bounded(self, exchange: Offline) -> None:
        month = Span(
            "BTCUSDT",
            Interval.MINUTE_1,
            datetime(2025, 10, 29, tzinfo=UTC),
            datetime(2025, 11, 2, tzinfo=UTC),
        )
        for options in ({}, {"mode": "archive"}):
            found = batches(reader(exchange, month, **options))
            assert max(batch.num_rows for batch in found) <= ROWS_PER_BATCH


@pytest.mark.slow
def test_spark_reads_what_the_readers_give(spark: SparkSession, exchange: Offline) -> None:
    sources.register(spark)
    options = {"address": exchange.url, "archive": exchange.url, "spans": dump_spans([QUARTER])}
    expected = table(reader(exchange, QUARTER, mode="archive")).to_pylist()
    for form in ("binance", "binance_archive"):
        frame = spark.read.format(form).options(**options, mode="auto").load()
        rows = [row.asDict() for row in frame.orderBy("open_time", "repeat").collect()]
        assert len(rows) == len(expected)
        name = "rest" if form == "binance" else "archive"
        assert {row["source"] for row in rows} == {name}
        for row, wanted in zip(rows, expected, strict=True):
            times = {key: row[key].replace(tzinfo=UTC) for key in ("open_time", "close_time")}
            assert {**row, **times} == {**wanted, "source": name}


@pytest.mark.slow
def test_a_failure_in_a_worker_names_symbol_and_range(spark: SparkSession, exchange: Offline) -> None:
    sources.register(spark)
    unknown = dump_spans([replace(QUARTER, symbol="NOSUCHPAIR")])
    frame = spark.read.format("binance").options(address=exchange.url, spans=unknown).load()
    with pytest.raises(PySparkException) as raised:
        frame.collect()
    assert re.match(r"candles of NOSUCHPAIR 1h from 2023-01-01.* to .*Invalid symbol", cause_of(raised.value))


@pytest.mark.slow
def test_spark_reads_aggregate_trades(spark: SparkSession) -> None:
    sources.register(spark)
    given = {"kind": "aggTrades", "symbols": "BTCUSDT", "start": "2025-03-01", "end": "2025-03-01T02:00"}
    with running_exchange(EXCHANGE_TRADES_PER_SECOND="1") as url:
        rows = spark.read.format("binance").options(address=url, **given).load().orderBy("agg_id").collect()
    ids = [row.agg_id for row in rows]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(ids) > PAGE
    start = datetime(2025, 3, 1, tzinfo=UTC)
    assert all(start <= row.time.replace(tzinfo=UTC) < start + timedelta(hours=2) for row in rows)
