from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.database import Database

from cryptobot.market import Interval, Span
from cryptobot.market.instant import from_ms
from cryptobot.storage.gaps import ABSENT, OPEN, REPAIRED, Hole, find_gaps, record_states, redraw

START = datetime(2026, 1, 1, tzinfo=UTC)


def hours(*positions: int) -> list[datetime]:
    return [START + timedelta(hours=position) for position in positions]


def day() -> Span:
    return Span("BTCUSDT", Interval.HOUR_1, START, START + timedelta(hours=6))


class TestFindGaps:
    @pytest.mark.parametrize(
        ("present", "gaps"),
        [
            ((0, 1, 2, 3, 4, 5), []),
            ((0, 1, 4, 5), [(2, 4)]),
            ((1, 2, 3, 5), [(0, 1), (4, 5)]),
            ((0, 1, 2), [(3, 6)]),
            ((), [(0, 6)]),
        ],
    )
    def test_runs_of_missing_candles(self, present: tuple[int, ...], gaps: list[tuple[int, int]]) -> None:
        found = [(gap.start, gap.end) for gap in find_gaps(day(), hours(*present))]
        assert found == [tuple(hours(*gap)) for gap in gaps]

    def test_repeated_and_off_grid_candles_make_no_gap(self) -> None:
        times = sorted([*hours(0, 1, 1, 2, 3, 4), START + timedelta(hours=5, minutes=13)])
        assert list(find_gaps(day(), times)) == []

    @given(st.sets(st.integers(0, 59)))
    def test_what_is_present_and_what_is_missing_make_up_the_span(self, present: set[int]) -> None:
        span = Span("BTCUSDT", Interval.MINUTE_1, START, START + timedelta(hours=1))
        times = [START + timedelta(minutes=minute) for minute in sorted(present)]
        missing = [
            minute
            for gap in find_gaps(span, times)
            for minute in range(
                (gap.start - START) // timedelta(minutes=1), (gap.end - START) // timedelta(minutes=1)
            )
        ]
        assert sorted([*present, *missing]) == list(range(60))

    def test_the_recorded_dirty_data_misses_twelve_hours_a_pair(self, shared_data: Path) -> None:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            with (shared_data / "dirty" / f"{symbol}-1h-2020-11_2021-05.csv").open() as file:
                times = [from_ms(int(line[0]) * 1_000) for line in csv.reader(file)]
            span = Span(symbol, Interval.HOUR_1, times[0], times[-1] + timedelta(hours=1))
            missing = sum(
                span.interval.candles_between(gap.start_ms, gap.end_ms) for gap in find_gaps(span, times)
            )
            assert missing == 12


class TestRecordStates:
    def test_a_gap_is_stored_once_and_marked_when_it_is_gone(
        self, database: Database[dict[str, Any]]
    ) -> None:
        gaps = list(find_gaps(day(), hours(0, 1, 4, 5)))
        for _ in range(2):
            assert record_states(database, day(), [(gap, ABSENT) for gap in gaps], found_by="test") == 1
        (stored,) = database["gaps"].find()
        assert stored == {
            "_id": f"BTCUSDT|1h|{gaps[0].start_ms}",
            "symbol": "BTCUSDT",
            "interval": "1h",
            "from": gaps[0].start,
            "to": gaps[0].end,
            "found_by": "test",
            "state": "absent at the source",
        }
        record_states(database, day(), [], found_by="test")
        assert [gap["state"] for gap in database["gaps"].find()] == ["repaired"]

    def test_gaps_outside_the_span_stay_as_they_are(self, database: Database[dict[str, Any]]) -> None:
        record_states(database, day(), [(day(), OPEN)], found_by="test")
        later = Span("BTCUSDT", Interval.HOUR_1, day().end, day().end + timedelta(hours=6))
        record_states(database, later, [], found_by="test")
        assert [gap["state"] for gap in database["gaps"].find()] == ["open"]

    def test_of_a_gap_that_reaches_over_the_border_only_the_part_within_is_judged(
        self, database: Database[dict[str, Any]]
    ) -> None:
        record_states(database, day(), [(day(), ABSENT)], found_by="test")
        middle = Span("BTCUSDT", Interval.HOUR_1, *hours(2, 4))
        record_states(database, middle, [], found_by="test")
        stored = [(gap["from"], gap["to"], gap["state"]) for gap in database["gaps"].find().sort("from")]
        absent = "absent at the source"
        assert stored == [
            (*hours(0, 2), absent),
            (*hours(2, 4), "repaired"),
            (*hours(4, 6), absent),
        ]

    def test_a_gap_found_in_two_parts_is_one(self, database: Database[dict[str, Any]]) -> None:
        for start, end in ((0, 3), (3, 6)):
            part = Span("BTCUSDT", Interval.HOUR_1, *hours(start, end))
            record_states(database, part, [(part, ABSENT)], found_by="test")
        (gap,) = database["gaps"].find()
        assert [gap["from"], gap["to"]] == hours(0, 6)


def places(holes: list[Hole]) -> dict[int, str]:
    return {at: hole.state for hole in holes for at in range(hole.start_ms, hole.end_ms)}


def holes_of(states: dict[int, str]) -> list[Hole]:
    return [Hole(at, at + 1, states[at], "test") for at in sorted(states)]  # type: ignore[arg-type]


class TestRedraw:
    @given(
        st.dictionaries(st.integers(0, 19), st.sampled_from([OPEN, ABSENT])),
        st.dictionaries(st.integers(0, 19), st.sampled_from([OPEN, ABSENT])),
        st.integers(0, 19),
        st.integers(1, 20),
    )
    def test_each_place_is_what_the_last_look_at_it_says(
        self, before: dict[int, str], now: dict[int, str], start: int, length: int
    ) -> None:
        end = min(20, start + length)
        recorded, _ = redraw([], 0, 20, holes_of(before))
        found = {at: state for at, state in now.items() if start <= at < end}
        holes, repaired = redraw(recorded, start, end, holes_of(found))
        outside = {at: state for at, state in before.items() if not start <= at < end}
        assert places(holes) == outside | found
        assert places(repaired) == dict.fromkeys(before.keys() - outside.keys() - found.keys(), REPAIRED)
        keys = [hole.start_ms for hole in [*holes, *repaired]]
        assert len(set(keys)) == len(keys)
