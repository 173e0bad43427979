"""Which files cover a span."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptobot.exchange.archive_files import LAG, Period, cover, has_days, split
from cryptobot.market import Interval, Span

DAY = timedelta(days=1)
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
SPANS = st.builds(
    lambda interval, day, minute, days, minutes: Span(
        "BTCUSDT",
        interval,
        FIRST + timedelta(days=day, minutes=minute),
        FIRST + timedelta(days=day + days, minutes=minute + minutes),
    ),
    st.sampled_from(Interval),
    st.integers(0, 60),
    st.just(0) | st.integers(0, 1_440),
    st.integers(0, 100),
    st.just(1_440) | st.integers(1, 1_440),
)


def span(start: str, end: str, interval: str = "1h") -> Span:
    days = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end))
    return Span("BTCUSDT", Interval(interval), *days)


def names(asked: Span) -> list[str]:
    return [part.file.name for part in cover(asked)]


class TestCover:
    @given(SPANS)
    def test_the_parts_are_the_span_and_lie_in_their_files(self, asked: Span) -> None:
        parts = list(cover(asked))
        assert parts[0].span.start == asked.start
        assert parts[-1].span.end == asked.end
        assert all(one.span.end == other.span.start for one, other in pairwise(parts))
        assert all(part.file.start <= part.span.start and part.span.end <= part.file.end for part in parts)
        assert len({part.file for part in parts}) == len(parts)

    @given(SPANS)
    def test_a_month_is_one_file_only_where_it_is_wanted_whole(self, asked: Span) -> None:
        for part in cover(asked):
            if part.file.period is Period.DAILY:
                assert has_days(asked.interval)
            elif has_days(asked.interval):
                assert (part.span.start, part.span.end) == (part.file.start, part.file.end)

    @given(SPANS)
    def test_a_months_days_are_the_same_part(self, asked: Span) -> None:
        for part in (part for part in cover(asked) if part.file.period is Period.MONTHLY):
            days = part.days()
            assert bool(days) == has_days(asked.interval)
            if days:
                assert (days[0].span.start, days[-1].span.end) == (part.span.start, part.span.end)
                assert {day.file.period for day in days} == {Period.DAILY}

    def test_whole_months_by_the_month_and_the_rest_by_the_day(self) -> None:
        assert names(span("2024-01-30", "2024-04-02")) == [
            "BTCUSDT-1h-2024-01-30.zip",
            "BTCUSDT-1h-2024-01-31.zip",
            "BTCUSDT-1h-2024-02.zip",
            "BTCUSDT-1h-2024-03.zip",
            "BTCUSDT-1h-2024-04-01.zip",
        ]

    def test_seconds_by_the_day_weeks_by_the_month(self) -> None:
        assert len(names(span("2024-02-01", "2024-03-01", "1s"))) == 29
        assert names(span("2024-01-10", "2024-02-10", "1w")) == [
            "BTCUSDT-1w-2024-01.zip",
            "BTCUSDT-1w-2024-02.zip",
        ]

    def test_a_month_of_months_is_spelled_as_the_archive_does(self) -> None:
        (part,) = cover(span("2024-01-01", "2024-02-01", "1M"))
        assert part.file.path == "/data/spot/monthly/klines/BTCUSDT/1mo/BTCUSDT-1mo-2024-01.zip"


class TestSplit:
    @given(SPANS, st.integers(-100, 10), st.integers(0, 1_440))
    def test_the_archive_has_what_is_older_than_two_days(self, asked: Span, days: int, minutes: int) -> None:
        now = asked.end + timedelta(days=days, minutes=minutes)
        older, newer = split(asked, now)
        parts = [part for part in (older, newer) if part]
        assert parts[0].start == asked.start
        assert parts[-1].end == asked.end
        if len(parts) == 2:
            assert parts[0].end == parts[1].start
        if older:
            assert has_days(asked.interval)
            assert older.end <= now - LAG
        if newer and has_days(asked.interval):
            assert newer.start > now - LAG - DAY

    @pytest.mark.parametrize("interval", ["3d", "1w", "1M"])
    def test_long_candles_come_by_rest(self, interval: str) -> None:
        asked = span("2020-01-01", "2024-01-01", interval)
        assert split(asked, datetime(2026, 1, 1, tzinfo=UTC)) == (None, asked)
