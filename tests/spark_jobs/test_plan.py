"""What a run reads: bounded by listing and clock, cut into chunks that are the spans again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryptobot.market import Interval, Span
from cryptobot.market.instant import EPOCH
from cryptobot.market.span import merged
from spark_jobs.completeness import slots
from spark_jobs.plan import bound, chunks, disjoint

NOW = datetime(2026, 3, 10, 12, 34, 56, tzinfo=UTC)
LISTED = Span(
    "BTCUSDT", Interval.HOUR_1, datetime(2026, 1, 5, 7, tzinfo=UTC), NOW.replace(minute=0, second=0)
)


def hours(start: datetime, end: datetime, symbol: str = "BTCUSDT") -> Span:
    return Span(symbol, Interval.HOUR_1, start, end)


class TestBound:
    def test_nothing_is_asked_for_from_before_the_listing_or_after_now(self) -> None:
        asked = hours(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
        assert bound(asked, LISTED, NOW) == hours(LISTED.start, datetime(2026, 3, 10, 12, tzinfo=UTC))

    def test_a_range_within_stays_whole_even_where_it_begins_with_a_hole(self) -> None:
        asked = hours(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC))
        assert bound(asked, LISTED, NOW) == asked

    def test_all_there_is_ends_with_the_record(self) -> None:
        ended = hours(LISTED.start, datetime(2026, 2, 1, tzinfo=UTC))
        assert bound(hours(EPOCH, NOW), ended, NOW) == ended

    @pytest.mark.parametrize(
        ("start", "end", "record"),
        [
            (EPOCH, NOW, None),
            (datetime(2025, 1, 1, tzinfo=UTC), LISTED.start, LISTED),
            (NOW.replace(minute=0, second=0), datetime(2027, 1, 1, tzinfo=UTC), LISTED),
        ],
        ids=["not listed", "before the listing", "still open"],
    )
    def test_where_no_candle_can_be_nothing_is_read(
        self, start: datetime, end: datetime, record: Span | None
    ) -> None:
        assert bound(hours(start, end), record, NOW) is None


class TestChunks:
    @settings(deadline=None, max_examples=60)
    @given(
        st.sampled_from([Interval.MINUTE_1, Interval.MINUTE_15, Interval.HOUR_1, Interval.DAY_1]),
        st.integers(0, 100_000),
        st.integers(1, 150_000),
        st.integers(50, 60_000),
    )
    def test_together_they_are_the_spans_and_none_is_too_large(
        self, interval: Interval, first: int, minutes: int, candles: int
    ) -> None:
        start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=first)
        spans = [
            Span(symbol, interval, start, start + timedelta(minutes=minutes))
            for symbol in ("BTCUSDT", "ETHUSDT")
        ]
        made = list(chunks(spans, candles))
        assert merged(piece for chunk in made for piece in chunk) == spans
        assert all(sum(map(slots, chunk)) <= candles for chunk in made)

    def test_they_turn_with_the_months_as_the_archive_s_files_do(self) -> None:
        span = hours(datetime(2024, 1, 10, tzinfo=UTC), datetime(2024, 4, 5, tzinfo=UTC))
        (pieces,) = chunks([span])
        assert [piece.start.day for piece in pieces] == [10, 1, 1, 1]
        cut = list(chunks([span], 1_300))
        assert [chunk[0].start.month for chunk in cut] == [1, 3]

    def test_many_small_spans_share_a_chunk(self) -> None:
        day = [hours(NOW, NOW + timedelta(days=1), symbol) for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT")]
        assert list(chunks(day)) == [tuple(day)]


class TestDisjoint:
    def test_overlapping_spans_are_refused(self) -> None:
        one = hours(NOW, NOW + timedelta(hours=10))
        other = hours(NOW + timedelta(hours=9), NOW + timedelta(hours=20))
        with pytest.raises(ValueError, match=r"BTCUSDT 1h.*overlap"):
            disjoint([other, one])
        apart = [one, hours(one.end, other.end), hours(NOW, other.end, "ETHUSDT")]
        assert disjoint(apart[::-1]) == apart
