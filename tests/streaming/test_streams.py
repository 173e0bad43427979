"""What the producer follows: trades by id, candles by the exchange's event clock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cryptobot.storage.live_gaps import LiveGap
from cryptobot.storage.stream_positions import StreamPosition
from streaming.continuity import streams as module
from streaming.continuity.streams import LATE_MS, Streams
from tests.streaming.feed import MINUTE_MS, START_MS, kline, trade

BTC = "BTCUSDT"


def event(frame: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(frame)["data"]
    return found


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is due without waiting for what comes out of order."""
    monkeypatch.setattr(module, "REORDERED_S", 0.0)


@pytest.fixture
def streams() -> Streams:
    return Streams([BTC], ["1m"])


def candle(streams: Streams, minute: int, *, closed: bool) -> None:
    streams.candle(BTC, event(kline(BTC, minute, closed=closed)))


def gaps(streams: Streams) -> list[LiveGap]:
    return [stretch.gap(hole) for stretch in streams.due() for hole in stretch.holes]


class TestTrades:
    def test_ids_in_order_move_the_position(self, streams: Streams) -> None:
        for number in range(3):
            streams.trade(BTC, event(trade(BTC, number)))
        assert streams.moved() == [StreamPosition("trade", BTC, None, 2, START_MS + 2)]
        assert streams.moved() == []
        assert streams.due() == []

    def test_a_jump_is_a_gap_between_the_times_around_it(self, streams: Streams) -> None:
        for number in (0, 5):
            streams.trade(BTC, event(trade(BTC, number)))
        assert gaps(streams) == [LiveGap("trade", BTC, None, 1, 4, START_MS, START_MS + 5)]
        assert streams.moved() == [StreamPosition("trade", BTC, None, 0, START_MS)]

    def test_near_holes_are_asked_for_together_and_far_ones_are_not(self, streams: Streams) -> None:
        for number in (0, 2, 4, 9_000, 9_002):
            streams.trade(BTC, event(trade(BTC, number)))
        found = [[(hole.first, hole.last) for hole in stretch.holes] for stretch in streams.due()]
        assert found == [[(1, 1), (3, 3), (5, 8_999), (9_001, 9_001)]]
        for number in (9_004, 19_004, 19_006):
            streams.trade(BTC, event(trade(BTC, number)))
        for number in range(9_005, 19_004):
            streams.trade(BTC, event(trade(BTC, number)))
        assert [len(stretch.holes) for stretch in streams.due()] == [1, 1]

    @pytest.mark.parametrize(
        "spoiled", [{"t": "7"}, {"t": -1}, {"t": 2**63}, {"T": "now"}, {"T": 10**15}, {"T": 0}]
    )
    def test_what_is_no_id_or_no_time_is_refused(self, streams: Streams, spoiled: dict[str, Any]) -> None:
        with pytest.raises((TypeError, ValueError)):
            streams.trade(BTC, event(trade(BTC, 7, **spoiled)))
        assert streams.moved() == []


class TestCandles:
    def test_an_open_candle_says_from_where_on(self, streams: Streams) -> None:
        candle(streams, 5, closed=False)
        assert streams.moved() == [
            StreamPosition("kline", BTC, "1m", START_MS + 4 * MINUTE_MS, START_MS + 4 * MINUTE_MS)
        ]
        candle(streams, 5, closed=True)
        assert streams.moved()[0].position == START_MS + 5 * MINUTE_MS
        assert streams.due() == []

    def test_a_candle_that_is_skipped_is_a_gap_of_the_grid(self, streams: Streams) -> None:
        candle(streams, 0, closed=True)
        candle(streams, 3, closed=True)
        first, last, end = (START_MS + minute * MINUTE_MS for minute in (1, 2, 3))
        assert gaps(streams) == [LiveGap("kline", BTC, "1m", first, last, first, end)]

    def test_a_candle_is_missing_once_the_event_clock_is_well_past_its_close(self, streams: Streams) -> None:
        candle(streams, 0, closed=False)
        closes = START_MS + MINUTE_MS
        streams.clock(BTC, closes + LATE_MS - 1)
        assert streams.due() == []
        streams.clock(BTC, closes + LATE_MS)
        assert [gap.first for gap in gaps(streams)] == [START_MS]

    def test_a_candle_that_comes_after_all_closes_its_gap(self, streams: Streams) -> None:
        candle(streams, 0, closed=False)
        streams.clock(BTC, START_MS + 2 * MINUTE_MS + LATE_MS)
        candle(streams, 1, closed=True)
        candle(streams, 0, closed=True)
        assert streams.due() == []
        assert streams.moved()[0].position == START_MS + MINUTE_MS

    def test_goes_on_from_a_position_of_before(self, streams: Streams) -> None:
        candle(streams, 9, closed=False)
        opened = START_MS + 4 * MINUTE_MS
        streams.resume([StreamPosition("kline", BTC, "1m", opened, opened)])
        (gap,) = gaps(streams)
        assert (gap.first, gap.last) == (opened + MINUTE_MS, START_MS + 8 * MINUTE_MS)

    def test_positions_of_streams_that_are_not_followed_any_more_are_left_alone(
        self, streams: Streams
    ) -> None:
        streams.resume(
            [
                StreamPosition("trade", "ETHUSDT", None, 5, START_MS),
                StreamPosition("kline", BTC, "1h", START_MS, START_MS),
                StreamPosition("kline", "ETHUSDT", "1m", START_MS, START_MS),
            ]
        )
        assert streams.moved() == []
