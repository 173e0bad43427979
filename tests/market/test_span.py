"""The ranges that jobs are asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from cryptobot.market import Interval, Span, history_spans
from cryptobot.market.instant import EPOCH, parse_instant, to_ms
from cryptobot.market.span import day_spans, dump_spans, load_spans, requested_spans

NOW = datetime(2026, 3, 10, 12, 34, 56, tzinfo=UTC)


def test_history_ends_before_the_open_candle_and_reaches_back_by_interval() -> None:
    minute, quarter = history_spans(["BTCUSDT"], ["1m", "15m"], NOW, 365, 14)
    assert minute.end == datetime(2026, 3, 10, 12, 34, tzinfo=UTC)
    assert quarter.end == datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
    assert minute.start == datetime(2026, 2, 25, tzinfo=UTC)
    assert quarter.start == datetime(2025, 3, 11, tzinfo=UTC)


def test_all_of_the_history_begins_at_the_epoch() -> None:
    assert {span.start for span in history_spans(["ETHUSDT"], ["1m", "1h"], NOW, "all", "all")} == {EPOCH}


def test_a_requested_range_is_inclusive_of_its_days_and_stops_at_now() -> None:
    past, today = (
        requested_spans(["BTCUSDT"], ["1h"], NOW, 5, 5, first_day="2026-03-01", last_day=last)[0]
        for last in ("2026-03-02", "2026-03-10")
    )
    assert (past.start, past.end) == (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
    assert today.end == datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        requested_spans(["BTCUSDT"], ["1h"], NOW, 5, 5, first_day="2026-03-02", last_day="2026-03-01")


def test_a_day_holds_its_candles_and_no_other() -> None:
    (span,) = day_spans(["BTCUSDT"], ["1m"], "2026-03-01")
    assert span.end - span.start == timedelta(days=1)
    assert Interval.MINUTE_1.candles_between(span.start_ms, span.end_ms) == 1_440


@pytest.mark.parametrize(
    ("interval", "start", "last_day"),
    [
        ("3d", "2025-10-30", "2025-11-01"),
        ("1w", "2025-10-27", "2025-11-02"),
        ("1M", "2025-10-01", "2025-10-31"),
    ],
)
def test_a_long_candle_belongs_to_the_day_that_ends_it(interval: str, start: str, last_day: str) -> None:
    last = parse_instant(last_day)
    assert day_spans(["BTCUSDT"], [interval], last_day) == [
        Span("BTCUSDT", Interval(interval), parse_instant(start), last + timedelta(days=1))
    ]
    for other in (last - timedelta(days=1), last + timedelta(days=1)):
        assert day_spans(["BTCUSDT"], [interval], f"{other:%Y-%m-%d}") == []


@pytest.mark.parametrize("interval", list(Interval))
def test_the_days_of_a_year_hold_each_candle_once(interval: Interval) -> None:
    first, after = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    days = [first + timedelta(days=number) for number in range((after - first).days)]
    made = [(day, span) for day in days for span in day_spans(["BTCUSDT"], [interval], f"{day:%Y-%m-%d}")]
    spans = [span for _, span in made]
    assert all(span.end == day + timedelta(days=1) for day, span in made)
    assert all(one.end == other.start for one, other in pairwise(spans))
    assert (spans[0].start_ms, spans[-1].end_ms) == (
        interval.floor(to_ms(first)),
        interval.floor(to_ms(after)),
    )


def test_spans_survive_the_command_line() -> None:
    spans = history_spans(["BTCUSDT", "ETHUSDT"], ["1m", "1M"], NOW, 30, 3)
    assert load_spans(dump_spans(spans)) == spans


@pytest.mark.parametrize(
    "text", ["{", "[{}]", '[{"symbol": "B", "interval": "7m", "start": "x", "end": "y"}]']
)
def test_anything_else_on_the_command_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        load_spans(text)


def test_an_empty_span_is_refused() -> None:
    with pytest.raises(ValueError, match="BTCUSDT 1m"):
        Span("BTCUSDT", Interval.MINUTE_1, NOW, NOW)
