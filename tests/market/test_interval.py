"""The grids of candles."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptobot.market import Interval
from cryptobot.market.instant import from_ms, to_ms

INSTANTS = st.integers(min_value=1_483_228_800_000, max_value=1_893_456_000_000)  # 2017 to 2030
INTERVALS = st.sampled_from(list(Interval))


@given(INTERVALS, INSTANTS)
def test_every_instant_lies_in_exactly_one_candle(interval: Interval, at_ms: int) -> None:
    opened = interval.floor(at_ms)
    assert opened <= at_ms < interval.following(opened)
    assert interval.floor(opened) == opened
    assert interval.floor(interval.following(opened)) == interval.following(opened)


@given(INTERVALS, INSTANTS)
def test_the_next_open_time_is_the_first_at_or_after(interval: Interval, at_ms: int) -> None:
    opened = interval.floor(at_ms)
    assert interval.ceil(opened) == opened
    assert interval.ceil(opened + 1) == interval.following(opened)
    assert interval.ceil(at_ms) in {at_ms, interval.following(opened)}
    assert interval.ceil(at_ms) >= at_ms


@given(INTERVALS, INSTANTS, st.integers(min_value=1, max_value=400 * 86_400_000))
def test_the_count_is_what_walking_the_grid_finds(interval: Interval, start_ms: int, length_ms: int) -> None:
    end_ms = start_ms + min(length_ms, 50 * interval.milliseconds)
    opened, found = interval.floor(start_ms), 0
    while opened < end_ms:
        found += opened >= start_ms
        opened = interval.following(opened)
    assert interval.candles_between(start_ms, end_ms) == found


@pytest.mark.parametrize(
    ("interval", "at", "opened"),
    [
        ("1w", datetime(2025, 10, 30, 12, tzinfo=UTC), datetime(2025, 10, 27, tzinfo=UTC)),
        ("1M", datetime(2025, 12, 31, 23, 59, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC)),
        ("15m", datetime(2025, 10, 29, 4, 22, tzinfo=UTC), datetime(2025, 10, 29, 4, 15, tzinfo=UTC)),
    ],
)
def test_weeks_begin_on_monday_and_months_on_the_first(interval: str, at: datetime, opened: datetime) -> None:
    assert from_ms(Interval(interval).floor(to_ms(at))) == opened


@pytest.mark.parametrize(
    ("interval", "opens"),
    [
        ("1s", datetime(2025, 10, 30, 12, 34, 57, tzinfo=UTC)),
        ("1m", datetime(2025, 10, 30, 12, 35, tzinfo=UTC)),
        ("3m", datetime(2025, 10, 30, 12, 36, tzinfo=UTC)),
        ("5m", datetime(2025, 10, 30, 12, 35, tzinfo=UTC)),
        ("15m", datetime(2025, 10, 30, 12, 45, tzinfo=UTC)),
        ("30m", datetime(2025, 10, 30, 13, tzinfo=UTC)),
        ("1h", datetime(2025, 10, 30, 13, tzinfo=UTC)),
        ("2h", datetime(2025, 10, 30, 14, tzinfo=UTC)),
        ("4h", datetime(2025, 10, 30, 16, tzinfo=UTC)),
        ("6h", datetime(2025, 10, 30, 18, tzinfo=UTC)),
        ("8h", datetime(2025, 10, 30, 16, tzinfo=UTC)),
        ("12h", datetime(2025, 10, 31, tzinfo=UTC)),
        ("1d", datetime(2025, 10, 31, tzinfo=UTC)),
        ("3d", datetime(2025, 11, 2, tzinfo=UTC)),
        ("1w", datetime(2025, 11, 3, tzinfo=UTC)),
        ("1M", datetime(2025, 11, 1, tzinfo=UTC)),
    ],
)
def test_what_opens_next_is_on_the_interval_s_own_grid(interval: str, opens: datetime) -> None:
    within = to_ms(datetime(2025, 10, 30, 12, 34, 56, 500_000, tzinfo=UTC))
    assert from_ms(Interval(interval).ceil(within)) == opens
    assert from_ms(Interval(interval).ceil(to_ms(opens))) == opens


def test_december_is_followed_by_january() -> None:
    december = to_ms(datetime(2025, 12, 1, tzinfo=UTC))
    assert from_ms(Interval.MONTH_1.following(december)) == datetime(2026, 1, 1, tzinfo=UTC)


@given(INTERVALS, INSTANTS)
def test_places_count_the_candles_of_the_grid(interval: Interval, at_ms: int) -> None:
    opened = interval.floor(at_ms)
    place = interval.place(opened)
    assert interval.place(at_ms) == place
    assert interval.opening(place) == opened
    assert interval.opening(place + 1) == interval.following(opened)
