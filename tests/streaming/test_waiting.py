from __future__ import annotations

from typing import Any

import pytest
from kafka import TopicPartition
from pymongo.database import Database

from cryptobot.decisions.live import LiveScorer
from cryptobot.market.instant import to_ms
from streaming.waiting import Key, WaitingCandles
from tests.api.candles import live
from tests.decisions.test_live import BTC, ETH, bundle, fed

FIRST, SECOND = TopicPartition("market.klines", 0), TopicPartition("market.klines", 1)
BOTH = {FIRST, SECOND}


def key(candle: dict[str, Any]) -> Key:
    return candle["symbol"], to_ms(candle["open_time"])


def offsets(waiting: WaitingCandles, assigned: set[TopicPartition] = BOTH) -> dict[TopicPartition, int]:
    return {partition: found.offset for partition, found in waiting.done(assigned).items()}


@pytest.fixture
def scorer() -> LiveScorer:
    """All candles but ETHUSDT's last."""
    return fed(bundle(), BTC, ETH[:-1])


@pytest.fixture
def waiting(scorer: LiveScorer) -> WaitingCandles:
    """BTCUSDT's last two candles, of which the last has nothing beside it."""
    made = WaitingCandles(scorer, wait_s=3_600)
    for offset, candle in ((4, BTC[-2]), (5, BTC[-1])):
        made.hold(key(candle), FIRST, offset, None)
        made.read_to(FIRST, offset + 1)
    made.read_to(SECOND, 9)
    return made


class TestReady:
    def test_a_candle_is_ready_when_the_other_pairs_has_come(
        self, database: Database[dict[str, Any]], scorer: LiveScorer, waiting: WaitingCandles
    ) -> None:
        assert waiting.ready(database, came=True) == [key(BTC[-2])]
        scorer.add(ETH[-1])
        assert waiting.ready(database, came=True) == [key(BTC[-2]), key(BTC[-1])]

    def test_or_when_it_has_waited_for_long_enough(
        self, database: Database[dict[str, Any]], scorer: LiveScorer
    ) -> None:
        made = WaitingCandles(scorer, wait_s=0)
        made.hold(key(BTC[-1]), FIRST, 1, None)
        assert made.ready(database, came=False) == [key(BTC[-1])]

    def test_or_when_the_database_has_it(
        self,
        database: Database[dict[str, Any]],
        waiting: WaitingCandles,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        database.streaming_data.insert_many(live(ETH[-1:]))
        monkeypatch.setattr("streaming.waiting.REFILL_S", 0.0)
        assert waiting.ready(database, came=False) == [key(BTC[-2]), key(BTC[-1])]


class TestDone:
    def test_nothing_from_the_oldest_candle_on_that_is_held(self, waiting: WaitingCandles) -> None:
        assert offsets(waiting) == {FIRST: 4, SECOND: 9}
        waiting.release(key(BTC[-2]))
        assert offsets(waiting) == {FIRST: 5, SECOND: 9}
        waiting.committed()
        waiting.release(key(BTC[-1]))
        assert offsets(waiting) == {FIRST: 6, SECOND: 9}
        waiting.committed()
        assert offsets(waiting) == {}

    def test_a_repeated_candle_stays_where_it_first_was(self, waiting: WaitingCandles) -> None:
        waiting.hold(key(BTC[-2]), FIRST, 8, None)
        assert offsets(waiting)[FIRST] == 4

    def test_partitions_of_others_are_left_alone(self, waiting: WaitingCandles) -> None:
        assert offsets(waiting, {SECOND}) == {SECOND: 9}

    def test_nothing_once_forgotten(self, waiting: WaitingCandles) -> None:
        waiting.clear()
        assert (len(waiting), waiting.uncommitted, offsets(waiting)) == (0, False, {})
