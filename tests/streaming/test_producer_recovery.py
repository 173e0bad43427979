"""The producer is killed, cut off or starved: what the exchange issued is stored all the same."""

from __future__ import annotations

import signal
from typing import Any

from cryptobot.market.instant import from_ms
from cryptobot.settings import Settings
from cryptobot.storage.collections import GAPS, STREAM_POSITIONS, STREAMING_DATA
from tests.servers import wait_until
from tests.streaming.conftest import Starter
from tests.streaming.feed import MINUTE_MS, START_MS, Feed, aggregate, kline, row, ticker, trade
from tests.streaming.test_live_path import Documents, await_trades


def position(database: Documents, key: str) -> int | None:
    found = database[STREAM_POSITIONS].find_one({"_id": key})
    return found["position"] if found else None


def gap(database: Documents, key: str) -> dict[str, Any]:
    """Return the gap as it is recorded once it is closed."""
    found: dict[str, Any] = wait_until(
        lambda: database[GAPS].find_one({"_id": key, "state": {"$ne": "open"}}), limit=20, what=key
    )
    return found


def await_position(database: Documents, key: str, expected: int) -> None:
    wait_until(lambda: position(database, key) == expected, limit=20, what=f"{key} at {expected}")


class TestRecovery:
    def test_a_killed_producer_fills_what_it_missed(
        self, database: Documents, feed: Feed, symbol: str, start: Starter
    ) -> None:
        feed.aggregates = [aggregate(7, 90, 99), aggregate(8, 100, 104), aggregate(9, 105, 119)]
        feed.candles = [row(minute) for minute in range(10)]
        with start("sink"):
            with start("producer") as producer:
                wait_until(lambda: feed.connected, limit=10, what="the producer")
                feed.send(*[trade(symbol, number) for number in range(100)])
                feed.send(kline(symbol, 0, closed=False), kline(symbol, 0, closed=True))
                await_position(database, f"trade|{symbol}", 99)
                await_position(database, f"kline|{symbol}|1m", START_MS)
                producer.send_signal(signal.SIGKILL)
                producer.wait(5)
            with start("producer"):
                wait_until(lambda: feed.connected, limit=10, what="the producer again")
                feed.send(*[trade(symbol, number) for number in range(110, 130)])
                feed.send(kline(symbol, 4, closed=False))
                await_trades(database, symbol, range(130))
                await_position(database, f"trade|{symbol}", 129)
                await_position(database, f"kline|{symbol}|1m", START_MS + 3 * MINUTE_MS)
        recorded = gap(database, f"trade|{symbol}|100")
        assert (recorded["last_id"], recorded["state"]) == (109, "repaired")
        assert recorded["from"] < recorded["to"]
        filled = database[STREAMING_DATA].find_one({"_id": f"trade|{symbol}|104"})
        assert filled is not None
        assert (filled["source"], filled["event_time"]) == ("rest", from_ms(START_MS + 100))
        minutes = database[STREAMING_DATA].find({"kind": "kline", "symbol": symbol}).sort("open_time")
        assert [found["open_time"] for found in minutes] == [
            from_ms(START_MS + minute * MINUTE_MS) for minute in range(4)
        ]

    def test_holes_in_the_stream_are_filled_and_the_position_waits_for_that(
        self, database: Documents, feed: Feed, symbol: str, start: Starter
    ) -> None:
        with start("producer"), start("sink"):
            wait_until(lambda: feed.connected, limit=10, what="the producer")
            feed.send(*[trade(symbol, number) for number in (0, 1, 2, 6, 7, 5, 11)])
            recorded = wait_until(
                lambda: database[GAPS].find_one({"_id": f"trade|{symbol}|8"}), limit=10, what="the hole"
            )
            assert (recorded["state"], recorded["last_id"], recorded["found_by"]) == ("open", 10, "producer")
            await_position(database, f"trade|{symbol}", 2)
            feed.aggregates = [aggregate(1, 0, 3), aggregate(2, 4, 10)]
            assert gap(database, f"trade|{symbol}|3")["state"] == "repaired"
            assert gap(database, f"trade|{symbol}|8")["state"] == "repaired"
            await_trades(database, symbol, range(12))
            await_position(database, f"trade|{symbol}", 11)

    def test_a_candle_that_does_not_come_is_missed_by_the_event_clock(
        self, database: Documents, feed: Feed, symbol: str, start: Starter
    ) -> None:
        feed.candles = [row(minute) for minute in range(10)]
        with start("producer"), start("sink"):
            wait_until(lambda: feed.connected, limit=10, what="the producer")
            feed.send(kline(symbol, 0, closed=False))
            feed.send(ticker(symbol, "7", E=START_MS + 3 * MINUTE_MS + 6_000))
            assert gap(database, f"kline|{symbol}|1m|{START_MS}")["state"] == "repaired"
            await_position(database, f"kline|{symbol}|1m", START_MS + 2 * MINUTE_MS)
            wait_until(
                lambda: database[STREAMING_DATA].count_documents({"kind": "kline", "symbol": symbol}) == 3,
                limit=10,
                what="the three candles",
            )


class TestSilence:
    def test_a_silent_connection_is_opened_anew_and_nothing_is_missed(
        self, live_settings: Settings, database: Documents, feed: Feed, symbol: str, silent_start: Starter
    ) -> None:
        feed.aggregates = [aggregate(1, 0, 9)]
        with silent_start("producer"), silent_start("sink"):
            wait_until(lambda: feed.connected, limit=10, what="the producer")
            feed.send(trade(symbol, 0))
            wait_until(
                lambda: len(feed.paths) >= 2 and feed.connected == 1, limit=15, what="another connection"
            )
            feed.send(trade(symbol, 9))
            await_trades(database, symbol, range(10))
