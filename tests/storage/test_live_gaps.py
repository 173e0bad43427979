"""Holes of the live streams on record, apart from those of history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.market import Interval, Span
from cryptobot.market.instant import to_ms
from cryptobot.storage.collections import GAPS
from cryptobot.storage.gaps import ABSENT, REPAIRED, record_states
from cryptobot.storage.live_gaps import LiveGap, mark, open_gaps, record_open

START = datetime(2026, 1, 1, tzinfo=UTC)
START_MS = to_ms(START)
MINUTE_MS = 60_000
Documents = Database[dict[str, Any]]

TRADES = LiveGap("trade", "BTCUSDT", None, 100, 109, START_MS, START_MS + 5)
CANDLES = LiveGap(
    "kline", "BTCUSDT", "1m", START_MS, START_MS + 2 * MINUTE_MS, START_MS, START_MS + 3 * MINUTE_MS
)


class TestLiveGaps:
    @pytest.mark.parametrize(
        ("gap", "key"),
        [(TRADES, "trade|BTCUSDT|100"), (CANDLES, f"kline|BTCUSDT|1m|{START_MS}")],
    )
    def test_an_open_gap_is_read_back_as_it_was(self, database: Documents, gap: LiveGap, key: str) -> None:
        record_open(database, [gap], found_by="producer")
        record_open(database, [gap], found_by="another")
        (found,) = database[GAPS].find()
        assert (found["_id"], found["found_by"], found["state"]) == (key, "producer", "open")
        assert open_gaps(database, timedelta()) == [gap]
        assert open_gaps(database, timedelta(minutes=1)) == []

    def test_ids_without_a_moment_between_them_are_a_gap_all_the_same(self, database: Documents) -> None:
        record_open(database, [TRADES._replace(end_ms=TRADES.start_ms)], found_by="producer")
        (found,) = database[GAPS].find()
        assert found["to"] > found["from"]

    def test_a_filled_gap_closes_those_within_it_and_no_other(self, database: Documents) -> None:
        within = TRADES._replace(first=104, last=105)
        others = [
            TRADES._replace(first=105, last=110),
            TRADES._replace(symbol="ETHUSDT"),
            CANDLES._replace(interval="15m"),
            CANDLES._replace(
                first=START_MS + MINUTE_MS, start_ms=START_MS + MINUTE_MS, end_ms=CANDLES.end_ms + 1
            ),
        ]
        record_open(database, [TRADES, within, CANDLES, *others], found_by="producer")
        mark(database, [TRADES], REPAIRED)
        mark(database, [CANDLES], ABSENT)
        states = {found["_id"]: found["state"] for found in database[GAPS].find({"state": {"$ne": "open"}})}
        assert states == {TRADES.key: "repaired", within.key: "repaired", CANDLES.key: ABSENT}
        assert database[GAPS].count_documents({"state": "open"}) == len(others)

    def test_the_record_of_history_takes_no_note_of_them(self, database: Documents) -> None:
        record_open(database, [CANDLES], found_by="producer")
        span = Span("BTCUSDT", Interval.MINUTE_1, START, START + timedelta(hours=1))
        record_states(database, span, [], found_by="history")
        (found,) = database[GAPS].find()
        assert (found["_id"], found["state"]) == (CANDLES.key, "open")
