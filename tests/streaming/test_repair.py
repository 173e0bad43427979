"""Filling holes: exactly what is missing is published, and what cannot be had is told."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest

from cryptobot.market import Interval, topics
from streaming.continuity import repair as module
from streaming.continuity.repair import Outcome, Repair
from streaming.continuity.sequence import Hole, Sequence
from streaming.continuity.streams import Stretch
from tests.servers import free_port
from tests.streaming.feed import START_MS, Feed, aggregate, row

SYMBOL = "BTCUSDT"


class Paper:
    """Keeps what is published, in place of a publisher."""

    full = False

    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, Any], bytes]] = []

    def publish(self, topic: str, value: bytes, key: bytes) -> None:
        self.records.append((topic, orjson.loads(value), key))


@contextmanager
def repairing(url: str, paper: Paper) -> Iterator[tuple[Repair, queue.SimpleQueue[Outcome]]]:
    outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    repair = Repair(url, paper, outcomes.put)  # type: ignore[arg-type]
    try:
        yield repair, outcomes
    finally:
        repair.close()


def trades(*holes: tuple[int, int]) -> Stretch:
    found = [Hole(first, last, START_MS + first - 1, 0.0, taken=True) for first, last in holes]
    return Stretch(SYMBOL, None, Sequence(), found)


def candles(first: int, last: int) -> Stretch:
    place = Interval.MINUTE_1.place(START_MS)
    hole = Hole(place + first, place + last, 0, 0.0, taken=True)
    return Stretch(SYMBOL, Interval.MINUTE_1, Sequence(), [hole])


class TestRepair:
    def test_publishes_the_trades_of_the_holes_and_no_others(self, feed: Feed) -> None:
        feed.aggregates = [aggregate(number, 10 * number, 10 * number + 9) for number in range(5_000)]
        stretch, paper = trades((5, 12), (20, 20), (995, 1_004)), Paper()
        with repairing(feed.rest_url, paper) as (repair, outcomes):
            repair.submit(stretch)
            assert outcomes.get(timeout=10) == Outcome(stretch, stretch.holes, [], asked=True)
        assert [value["data"]["t"] for _, value, _ in paper.records] == [
            *range(5, 13),
            20,
            *range(995, 1_005),
        ]
        topic, value, key = paper.records[0]
        assert (topic, key, value["stream"]) == (topics.TRADES, SYMBOL.encode(), "btcusdt@trade")
        assert value["source"] == "rest"
        assert abs(value["received_at"] - time.time() * 1_000) < 60_000

    def test_publishes_closed_candles(self, feed: Feed) -> None:
        feed.candles = [row(minute) for minute in range(3_000)]
        stretch, paper = candles(7, 2_006), Paper()
        with repairing(feed.rest_url, paper) as (repair, outcomes):
            repair.submit(stretch)
            assert outcomes.get(timeout=10).filled == stretch.holes
        assert [value["data"]["k"]["t"] for _, value, _ in paper.records] == [
            row(minute)[0] for minute in range(7, 2_007)
        ]
        assert {(topic, value["stream"]) for topic, value, _ in paper.records} == {
            (topics.KLINES, "btcusdt@kline_1m")
        }

    def test_tells_which_holes_the_exchange_does_not_fill(self, feed: Feed) -> None:
        feed.aggregates = [aggregate(1, 0, 9), aggregate(2, 15, 19)]
        stretch, paper = trades((5, 6), (9, 12)), Paper()
        with repairing(feed.rest_url, paper) as (repair, outcomes):
            repair.submit(stretch)
            outcome = outcomes.get(timeout=10)
        assert (outcome.filled, outcome.missing, outcome.asked) == (
            stretch.holes[:1],
            stretch.holes[1:],
            True,
        )
        assert [value["data"]["t"] for _, value, _ in paper.records] == [5, 6, 9]

    def test_an_exchange_that_does_not_answer_is_left_alone_for_a_while(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cryptobot.exchange.patience.ATTEMPTS", 1)
        monkeypatch.setattr(module, "PAUSES_S", (0.5,))
        stretch = trades((5, 6))
        with repairing(f"http://127.0.0.1:{free_port()}", Paper()) as (repair, outcomes):
            repair.submit(stretch)
            assert outcomes.get(timeout=10) == Outcome(stretch, [], stretch.holes, asked=False)
            began = time.monotonic()
            repair.submit(stretch)
            outcomes.get(timeout=10)
            assert time.monotonic() - began >= 0.4
