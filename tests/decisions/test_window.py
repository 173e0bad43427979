from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptobot.decisions.window import CandleWindow
from cryptobot.features.computation import CANDLE_COLUMNS
from cryptobot.market import Interval
from cryptobot.market.instant import from_ms, to_ms

START_MS = to_ms(datetime(2026, 1, 1, tzinfo=UTC))
MINUTE_MS = 60_000


def candle(position: int, close: float = 1.0) -> dict[str, object]:
    values = dict.fromkeys(CANDLE_COLUMNS, 1.0)
    return {**values, "open_time": from_ms(START_MS + position * MINUTE_MS), "close": close}


def window(positions: list[int], capacity: int = 50) -> CandleWindow:
    made = CandleWindow(Interval.MINUTE_1, capacity)
    for position in positions:
        made.add(candle(position))
    return made


def at(position: int) -> int:
    return START_MS + position * MINUTE_MS


class TestAdd:
    def test_keeps_the_newest_whatever_their_order(self) -> None:
        made = window([3, 1, 4, 2, 5, 0], capacity=4)
        assert [made.get(at(position)) is not None for position in range(6)] == [False] * 2 + [True] * 4
        assert made.newest == at(5)

    def test_the_first_of_equals_stays(self) -> None:
        made = window([0])
        assert not made.add(candle(0, close=2.0))
        assert made.frame(at(0), 1)["close"].tolist() == [1.0]


class TestFrame:
    def test_holds_the_last_up_to_a_candle_in_rising_order(self) -> None:
        frame = window([4, 2, 0, 1, 3]).frame(at(3), 3)
        assert [to_ms(opened) for opened in frame["open_time"]] == [at(1), at(2), at(3)]


class TestMissing:
    @given(held=st.sets(st.integers(0, 30)), last=st.integers(0, 30), count=st.integers(1, 12))
    def test_names_every_open_time_of_the_grid_that_is_not_held(
        self, held: set[int], last: int, count: int
    ) -> None:
        wanted = [at(position) for position in range(last, last - count, -1) if position not in held]
        assert window(sorted(held)).missing(at(last), count) == wanted

    @pytest.mark.parametrize("lost", [None, 3])
    def test_months_are_of_different_lengths(self, lost: int | None) -> None:
        made = CandleWindow(Interval.MONTH_1, 50)
        months = [datetime(2025, month, 1, tzinfo=UTC) for month in range(1, 13)]
        for index, opened in enumerate(months):
            if index != lost:
                made.add({**candle(0), "open_time": opened})
        expected = [] if lost is None else [to_ms(months[lost])]
        assert made.missing(to_ms(months[-1]), 12) == expected
