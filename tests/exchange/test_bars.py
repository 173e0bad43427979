"""Candles of one interval made of those of a finer one."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptobot.market import Interval
from infra.exchange.bars import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Bars,
    aggregate,
    bucket_open,
    bucket_opens,
    concat,
    grid,
    merge,
)

INTERVALS = st.sampled_from([one for one in Interval if one.milliseconds >= MINUTE_MS])
ZONES = st.integers(-48, 56).map(lambda quarters: quarters * 15 * MINUTE_MS)


def minutes(opens: list[int], seed: int) -> Bars:
    rng = np.random.default_rng(seed)
    count = len(opens)
    columns = {name: rng.integers(1, 1_000, count) for name in Bars.__slots__}
    columns["open_ms"] = np.array(opens, np.int64)
    columns["close_ms"] = columns["open_ms"] + MINUTE_MS - 1
    columns["high"] = columns["open"] + 1_000
    columns["low"] = np.ones(count, np.int64)
    return Bars(**columns)


@given(
    st.lists(st.integers(0, 60_000), min_size=1, max_size=80, unique=True),
    INTERVALS,
    ZONES,
    st.integers(0, 9),
)
def test_each_candle_is_what_its_minutes_say(
    places: list[int], interval: Interval, zone_ms: int, seed: int
) -> None:
    bars = minutes([1_700_000_040_000 + place * MINUTE_MS for place in sorted(places)], seed)
    made = aggregate(bars, interval, zone_ms)
    rows = range(len(bars))
    groups = [
        (opened, list(group))
        for opened, group in groupby(rows, lambda row: bucket_open(int(bars.open_ms[row]), interval, zone_ms))
    ]
    assert made.open_ms.tolist() == [opened for opened, _ in groups]
    for place, (_, group) in enumerate(groups):
        assert made.open[place] == bars.open[group[0]]
        assert made.close[place] == bars.close[group[-1]]
        assert made.high[place] == max(bars.high[group])
        assert made.low[place] == min(bars.low[group])
        for name in ("volume", "quote", "trades", "taker_base", "taker_quote", "aggs"):
            assert getattr(made, name)[place] == sum(getattr(bars, name)[group])
        assert made.first_trade[place] == bars.first_trade[group[0]]


@given(st.integers(0, 4_000_000_000_000), st.sampled_from(list(Interval)), ZONES)
def test_both_forms_of_the_grid_agree(at_ms: int, interval: Interval, zone_ms: int) -> None:
    opened = bucket_open(at_ms, interval, zone_ms)
    assert bucket_opens(np.array([at_ms]), interval, zone_ms)[0] == opened
    start, end = grid(interval, at_ms, at_ms + 1, zone_ms)
    assert start == opened <= at_ms < end


def test_a_candle_closes_a_millisecond_before_the_next_opens() -> None:
    bars = minutes([1_709_251_200_000], 1)
    assert aggregate(bars, Interval.MONTH_1).close_ms[0] == 1_711_929_600_000 - 1
    assert aggregate(bars, Interval.DAY_1).close_ms[0] == 1_709_251_200_000 + DAY_MS - 1


def test_a_week_begins_on_monday() -> None:
    assert bucket_open(1_700_000_000_000, Interval.WEEK_1) == 1_699_833_600_000


@pytest.mark.parametrize("hours", [-12, 8, 14])
def test_the_days_of_a_time_zone_begin_at_its_midnight(hours: int) -> None:
    opened = bucket_open(1_700_000_000_000, Interval.DAY_1, hours * HOUR_MS)
    assert (opened + hours * HOUR_MS) % DAY_MS == 0


def test_nothing_makes_nothing() -> None:
    bars = minutes([0, MINUTE_MS], 1)
    assert len(aggregate(bars[:0], Interval.DAY_1)) == 0
    assert len(concat([])) == 0
    assert merge(bars).volume[0] == bars.volume.sum()
