"""Which rows are candles, which are odd, and why the others are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from cryptobot.market import Interval, Span
from spark_jobs.cleaning import FIELDS, REPEATED, RULES, clean, with_sound_repetitions
from tests.spark_jobs.rows import NOW, START, frame, row

pytestmark = pytest.mark.slow

NAN, INFINITE = float("nan"), float("inf")
BROKEN: dict[str, dict[str, Any]] = {
    **{f"{name} cannot be read": {name: None, "raw": "[...]"} for name in FIELDS if name != "open_time"},
    "open is not a finite number": {"open": NAN},
    "high is not a finite number": {"high": INFINITE},
    "low is not a finite number": {"low": -INFINITE},
    "close is not a finite number": {"close": NAN},
    "volume is not a finite number": {"volume": INFINITE},
    "quote_volume is not a finite number": {"quote_volume": NAN},
    "taker_buy_base is not a finite number": {"taker_buy_base": NAN},
    "taker_buy_quote is not a finite number": {"taker_buy_quote": INFINITE},
    "open is not above zero": {"open": 0.0},
    "high is not above zero": {"high": -1.0},
    "low is not above zero": {"low": 0.0},
    "close is not above zero": {"close": -5.0},
    "high is below low": {"high": 80.0},
    "high is below open or close": {"close": 150.0},
    "low is above open or close": {"low": 100.5, "open": 100.0},
    "volume is negative": {"volume": -1.0},
    "quote_volume is negative": {"quote_volume": -1.0},
    "taker_buy_base is negative": {"taker_buy_base": -1.0},
    "taker_buy_quote is negative": {"taker_buy_quote": -0.5},
    "trades is negative": {"trades": -1},
    "taker_buy_base is above volume": {"taker_buy_base": 10.5},
    "taker_buy_quote is above quote_volume": {"taker_buy_quote": 1_000.5},
    "close_time is before open_time": {"close_time": START - timedelta(days=1)},
    REPEATED: {"repeat": 1},
}


def span(interval: Interval = Interval.HOUR_1, start: datetime = START, end: datetime = NOW) -> Span:
    return Span("BTCUSDT", interval, start, end)


def test_each_rule_is_met_by_a_row_that_breaks_it_alone(spark: SparkSession) -> None:
    assert {rule.reason for rule in RULES} == BROKEN.keys() - {REPEATED} | {"open_time cannot be read"}
    rows = [row(hour, **change) for hour, change in enumerate(BROKEN.values())]
    rows += [{**row(500), "open_time": None}, row(501)]
    found = clean(frame(spark, rows), [span()], NOW).collect()
    reasons = [*BROKEN, "open_time cannot be read", None]
    assert [(given["refused"], given["span"]) for given in found] == [
        (reason, None if reason == "open_time cannot be read" else 0) for reason in reasons
    ]
    assert found[-1]["_id"] == f"BTCUSDT|1h|{int((START + timedelta(hours=501)).timestamp() * 1_000)}"


def test_what_is_odd_is_kept_and_marked(spark: SparkSession) -> None:
    week, month = datetime(2024, 1, 8, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)

    def of(interval: str, opened: datetime, close: datetime) -> dict[str, Any]:
        return row(0, interval=interval, open_time=opened, close_time=close - timedelta(milliseconds=1))

    odd = [
        (row(0), None),
        (row(1 + 2 / 60, close_time=START + timedelta(hours=2, milliseconds=-1)), ["off_grid"]),
        (row(2, close_time=START + timedelta(hours=2, minutes=30)), ["shortened"]),
        (row(3.5, close_time=START + timedelta(hours=3.6)), ["off_grid", "shortened"]),
        (of("1w", week, week + timedelta(days=7)), None),
        (of("1w", week + timedelta(days=1), week + timedelta(days=7)), ["off_grid"]),
        (of("1M", month, datetime(2024, 2, 1, tzinfo=UTC)), None),
        (of("1M", month + timedelta(days=3), datetime(2024, 1, 31, tzinfo=UTC)), ["off_grid", "shortened"]),
    ]
    spans = [span(), span(Interval.WEEK_1), span(Interval.MONTH_1)]
    found = clean(frame(spark, [given for given, _ in odd]), spans, NOW + timedelta(days=1)).collect()
    assert [given["marks"] for given in found] == [marks for _, marks in odd]
    assert {given["refused"] for given in found} == {None}


def test_the_open_candle_never_passes(spark: SparkSession) -> None:
    closes = START + timedelta(hours=6)
    found = clean(frame(spark, [row(hour) for hour in range(8)]), [span()], closes).collect()
    assert [given["open_time"].hour for given in found] == [0, 1, 2, 3, 4, 5]


def test_a_sound_repetition_stands_in_for_a_broken_first_row(spark: SparkSession) -> None:
    rows = [row(0, high=1.0), row(0, repeat=1, trades=-1), row(0, repeat=2), row(0, repeat=3), row(1)]
    cleaned = with_sound_repetitions(clean(frame(spark, rows), [span()], NOW))
    found = {(given["open_time"].hour, given["repeat"]): given["refused"] for given in cleaned.collect()}
    assert found == {
        (0, 0): "high is below low",
        (0, 1): REPEATED,
        (0, 2): None,
        (0, 3): REPEATED,
        (1, 0): None,
    }
