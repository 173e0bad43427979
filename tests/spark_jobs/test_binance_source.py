from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cryptobot.market import Interval, Span
from cryptobot.spark.failure import cause_of
from spark_jobs.plan import disjoint

START = datetime(2026, 1, 1, tzinfo=UTC)


def minutes(start: int, end: int, symbol: str = "BTCUSDT") -> Span:
    return Span(symbol, Interval.MINUTE_1, START + timedelta(minutes=start), START + timedelta(minutes=end))


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
