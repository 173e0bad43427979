"""The ranges that jobs are asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptobot.market import Interval, Span, history_spans
from cryptobot.market.instant import EPOCH, parse_instant, to_ms
from cryptobot.market.span import day_spans, dump_spans, load_spans, merged, pieces, requested_spans

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


def hours(start: int, end: int, symbol: str = "BTCUSDT") -> Span:
    return Span(symbol, Interval.HOUR_1, NOW + timedelta(hours=start), NOW + timedelta(hours=end))


@pytest.mark.parametrize(
    ("spans", "whole"),
    [
        ([], []),
        ([hours(0, 2), hours(2, 3)], [hours(0, 3)]),
        ([hours(2, 3), hours(0, 2)], [hours(0, 3)]),
        ([hours(0, 5), hours(1, 2), hours(4, 6)], [hours(0, 6)]),
        ([hours(0, 1), hours(2, 3)], [hours(0, 1), hours(2, 3)]),
        ([hours(1, 2, "ETHUSDT"), hours(0, 1)], [hours(0, 1), hours(1, 2, "ETHUSDT")]),
    ],
    ids=["none", "touch", "out of order", "overlap", "apart", "another symbol"],
)
def test_spans_that_touch_or_overlap_are_made_one(spans: list[Span], whole: list[Span]) -> None:
    assert merged(spans) == whole


def test_spans_of_another_interval_stay_apart() -> None:
    minutes = replace(hours(1, 2), interval=Interval.MINUTE_1)
    assert merged([hours(0, 1), minutes]) == [hours(0, 1), minutes]


@given(st.sampled_from(Interval), st.integers(1, 10**8), st.integers(1, 50))
def test_pieces_are_the_span_and_as_long_as_was_asked(interval: Interval, seconds: int, candles: int) -> None:
    length = timedelta(milliseconds=candles * interval.milliseconds)
    span = Span("BTCUSDT", interval, NOW, NOW + min(timedelta(seconds=seconds), 40 * length))
    cut = list(pieces(span, candles))
    assert (cut[0].start, cut[-1].end) == (span.start, span.end)
    assert all(one.end == other.start for one, other in pairwise(cut))
    assert all(piece.end - piece.start == length for piece in cut[:-1])
    assert cut[-1].end - cut[-1].start <= length
    if interval is not Interval.MONTH_1:
        assert all(interval.candles_between(piece.start_ms, piece.end_ms) == candles for piece in cut[:-1])


def test_a_span_shorter_than_a_piece_is_one_even_at_the_end_of_time() -> None:
    last = Span("BTCUSDT", Interval.MONTH_1, NOW, datetime(9999, 1, 1, tzinfo=UTC))
    assert list(pieces(last, 10**6)) == [last]


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
