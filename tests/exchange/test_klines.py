"""Pages of candles: their boundaries, against a plain reading of the rules."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryptobot.market import Interval
from infra.exchange import klines
from infra.exchange.asked import Asked
from infra.exchange.bars import DAY_MS, HOUR_MS, MINUTE_MS, bucket_open
from infra.exchange.clock import Clock
from infra.exchange.history import History
from infra.exchange.parameters import Parameters
from infra.exchange.present import Present
from infra.exchange.synthetic import FIRST_DAY, SyntheticMarket

NOW_MS = 1_700_000_000_000 + 7_777_123


@pytest.fixture(scope="module")
def present(market: SyntheticMarket) -> Present:
    return Present(History(market), Clock())


def page(present: Present, now_ms: int = NOW_MS, scale: int = 1, **query: object) -> list[list[object]]:
    parameters = Parameters(urlencode({"symbol": "BTCUSDT", **query}))
    return json.loads(klines.page(Asked(present, parameters, now_ms * 1_000, scale)))


INTERVALS = st.sampled_from(["1m", "3m", "15m", "1h", "4h", "1d", "3d", "1w"])


@settings(max_examples=40, deadline=None)
@given(
    INTERVALS,
    st.integers(-3_000, 60),
    st.integers(0, 3_000),
    st.integers(1, 1_000),
    st.sampled_from(["both", "start", "end", "none"]),
    st.integers(-1, 1),
)
def test_a_page_is_the_rows_that_open_in_its_range(
    present: Present, interval: str, first: int, length: int, limit: int, given_times: str, off_ms: int
) -> None:
    step = Interval(interval).milliseconds
    newest = bucket_open(NOW_MS, Interval(interval))
    start = max(newest + first * step, 1_600_000_000_000) + off_ms
    end = start + length * step
    query = {"startTime": start} if given_times in ("both", "start") else {}
    query |= {"endTime": end} if given_times in ("both", "end") else {}
    rows = page(present, interval=interval, limit=limit, **query)
    oldest = bucket_open(FIRST_DAY * DAY_MS, Interval(interval))
    opens = range(newest, oldest - 1, -step)
    wanted = [at for at in opens if at >= query.get("startTime", 0) and at <= query.get("endTime", NOW_MS)]
    wanted = sorted(wanted)[:limit] if "startTime" in query else sorted(wanted[:limit])
    assert [row[0] for row in rows] == wanted


def test_pages_follow_one_another_without_hole_or_repeat(present: Present) -> None:
    start, opens = NOW_MS - 3 * DAY_MS, []
    while rows := page(present, interval="1m", startTime=start, limit=1_000):
        opens += [row[0] for row in rows]
        start = int(str(rows[-1][0])) + 1
    assert opens == list(range(opens[0], opens[-1] + 1, MINUTE_MS))
    assert opens[-1] == NOW_MS - NOW_MS % MINUTE_MS


@pytest.mark.parametrize("interval", [one.value for one in Interval])
def test_the_newest_row_is_the_open_candle_as_far_as_it_has_come(present: Present, interval: str) -> None:
    early, late = (page(present, now, interval=interval, limit=2)[-1] for now in (NOW_MS, NOW_MS + 400))
    assert early[0] == late[0] == bucket_open(NOW_MS, Interval(interval))
    assert int(str(early[6])) >= NOW_MS
    assert float(str(early[5])) <= float(str(late[5]))
    assert int(str(early[8])) < int(str(late[8]))


@pytest.mark.parametrize("interval", ["1m", "15m", "1d"])
def test_the_open_candle_becomes_the_closed_one(present: Present, interval: str) -> None:
    closes = bucket_open(NOW_MS, Interval(interval)) + Interval(interval).milliseconds
    still_open = page(present, closes - 1, interval=interval, limit=1)[-1]
    closed = page(present, closes + 60_000, interval=interval, endTime=closes - 1, limit=1)[-1]
    assert still_open == closed


def test_seconds_add_up_to_their_minute(present: Present) -> None:
    opened = 1_700_000_040_000
    seconds = page(present, interval="1s", startTime=opened, endTime=opened + MINUTE_MS - 1)
    minute = page(present, interval="1m", startTime=opened, limit=1)[0]
    assert [row[0] for row in seconds] == list(range(opened, opened + MINUTE_MS, 1_000))
    assert max(float(str(row[2])) for row in seconds) == float(str(minute[2]))
    assert seconds[-1][4] == minute[4]
    for field in (5, 7, 9, 10):
        assert sum(float(str(row[field])) for row in seconds) == pytest.approx(float(str(minute[field])))
    assert sum(int(str(row[8])) for row in seconds) == minute[8]


def test_a_time_zone_moves_the_buckets_only(present: Present) -> None:
    rows = page(present, interval="1d", timeZone="8", limit=3)
    assert {(int(str(row[0])) + 8 * HOUR_MS) % DAY_MS for row in rows} == {0}
    half = page(present, interval="1h", timeZone="-5:30", limit=3)
    assert {int(str(row[0])) % HOUR_MS for row in half} == {HOUR_MS // 2}
    assert page(present, interval="1m", timeZone="8", limit=3) == page(present, interval="1m", limit=3)


def test_microseconds_are_given_where_they_are_asked_for(present: Present) -> None:
    start = 1_700_000_040_000
    row = page(present, scale=1_000, interval="1m", startTime=start * 1_000, limit=1)[0]
    plain = page(present, interval="1m", startTime=start, limit=1)[0]
    assert row[0] == start * 1_000
    assert row[6] == start * 1_000 + 59_999_999
    assert row[1:6] == plain[1:6]


def test_history_begins_with_the_first_candle(present: Present) -> None:
    for interval, opened in (("1m", FIRST_DAY * DAY_MS), ("1M", 1_501_545_600_000)):
        assert page(present, interval=interval, startTime=0, limit=1)[0][0] == opened
