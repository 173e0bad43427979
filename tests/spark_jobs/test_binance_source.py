from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryptobot.market import Interval, Kline, Span
from cryptobot.market.instant import to_ms
from cryptobot.spark.failure import cause_of
from spark_jobs.historical_data import disjoint
from spark_jobs.sources.binance import cut, to_batch

START = datetime(2026, 1, 1, tzinfo=UTC)


def minutes(start: int, end: int, symbol: str = "BTCUSDT") -> Span:
    return Span(symbol, Interval.MINUTE_1, START + timedelta(minutes=start), START + timedelta(minutes=end))


class TestCut:
    @settings(deadline=None)
    @given(st.integers(1, 2_000), st.integers(1, 300))
    def test_the_pieces_are_the_span(self, length: int, candles: int) -> None:
        span = minutes(0, length)
        pieces = list(cut(span, candles))
        assert pieces[0].start == span.start
        assert pieces[-1].end == span.end
        assert all(one.end == other.start for one, other in pairwise(pieces))
        assert all(p.interval.candles_between(p.start_ms, p.end_ms) <= candles for p in pieces)


class TestToBatch:
    def test_every_field_is_that_of_the_candle(self, shared_data: Path) -> None:
        with (shared_data / "klines" / "BTCUSDT-1h-2023-01.csv").open() as file:
            lines = list(csv.reader(file))[1:]
        rows = [[int(line[0]), *line[1:6], int(line[6]), line[7], int(line[8]), *line[9:]] for line in lines]
        span = Span("BTCUSDT", Interval.HOUR_1, START, START + timedelta(days=1))
        batch = to_batch(span, rows)
        klines = [Kline.from_rest("BTCUSDT", Interval.HOUR_1, row) for row in rows]
        for name in batch.schema.names:
            assert batch.column(name).to_pylist() == [getattr(kline, name) for kline in klines]

    def test_whole_numbers_stay_doubles(self) -> None:
        row = [to_ms(START), "1", "2", "1", "1", "0", to_ms(START) + 59_999, "0", 0, "0", "0", "0"]
        batch = to_batch(minutes(0, 1), [row])
        assert batch.schema.field("volume").type == pa.float64()
        assert batch.schema.field("trades").type == pa.int64()
        assert batch.schema.field("open_time").type == pa.timestamp("us", tz="UTC")


class TestDisjoint:
    def test_adjacent_spans_and_other_symbols_pass(self) -> None:
        spans = [minutes(10, 20), minutes(0, 10), minutes(5, 15, "ETHUSDT")]
        assert disjoint(spans) == [minutes(0, 10), minutes(10, 20), minutes(5, 15, "ETHUSDT")]

    def test_overlapping_spans_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"BTCUSDT 1m.*overlap"):
            disjoint([minutes(0, 10), minutes(9, 20)])


class TestCauseOf:
    def test_the_worker_s_own_error_is_found_in_a_java_stack_trace(self) -> None:
        text = (
            "An error occurred while calling o56.save.\n: org.apache.spark.SparkException: Job aborted\n"
            'Traceback (most recent call last):\n  File "worker.py", line 1, in read\n'
            "cryptobot.exchange.errors.ExchangeUnavailableError: HTTP 503\n\n"
            "The above exception was the direct cause of the following exception:\n\n"
            'Traceback (most recent call last):\n  File "worker.py", line 2, in read\n'
            "cryptobot.exchange.errors.KlinesUnavailableError: candles of BTCUSDT 1m could not be read\n\n"
            "\tat org.apache.spark.api.python.BasePythonRunner.handle(PythonRunner.scala:1)\n"
        )
        assert cause_of(RuntimeError(text)) == "candles of BTCUSDT 1m could not be read"

    def test_a_plain_error_is_its_first_line(self) -> None:
        assert cause_of(ValueError("first\nsecond")) == "first"
        assert cause_of(ValueError()) == "ValueError"
