"""Producer and sink as processes, on the real Kafka and MongoDB: nothing lost, nothing twice."""

from __future__ import annotations

import json
import secrets
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from pymongo.database import Database

from cryptobot.market import topics
from cryptobot.settings import Settings
from cryptobot.storage.collections import STREAMING_DATA
from streaming.documents import wrap
from tests.servers import wait_until
from tests.streaming.conftest import Starter
from tests.streaming.feed import RECEIVED_MS, START_MS, Feed, kline, ticker, trade

Documents = Database[dict[str, Any]]


def stored_ids(database: Documents, symbol: str) -> list[int]:
    found = database[STREAMING_DATA].find({"kind": "trade", "symbol": symbol}, {"trade_id": 1})
    return sorted(document["trade_id"] for document in found)


def await_trades(database: Documents, symbol: str, expected: range, limit: float = 45) -> None:
    wait_until(
        lambda: (
            database[STREAMING_DATA].count_documents({"symbol": symbol, "kind": "trade"}) >= len(expected)
        ),
        limit=limit,
        what=f"{len(expected)} trades of {symbol}",
    )
    assert stored_ids(database, symbol) == list(expected)


def publish(settings: Settings, values: list[bytes], topic: str = topics.TRADES) -> None:
    with KafkaProducer(bootstrap_servers=settings.kafka_bootstrap) as producer:
        for value in values:
            producer.send(topic, value, settings.symbols[0].encode())
        producer.flush()


class TestLivePath:
    def test_each_event_of_the_exchange_has_its_effect_once(
        self, live_settings: Settings, database: Documents, feed: Feed, symbol: str, start: Starter
    ) -> None:
        with start("producer"), start("sink"):
            wait_until(lambda: feed.connected, limit=10, what="the producer")
            for first in range(0, 10_000, 500):
                feed.send(*[trade(symbol, trade_id) for trade_id in range(first, first + 500)])
            feed.send(
                kline(symbol, 0, closed=False), kline(symbol, 0, closed=True), kline(symbol, 1, closed=False)
            )
            feed.send(ticker(symbol, "7"), ticker(symbol, "8"))
            feed.send(
                *[trade(symbol, trade_id) for trade_id in range(9_000, 10_000)]
            )  # again, as in a replay
            feed.send(trade(symbol, 10_000))
            await_trades(database, symbol, range(10_001))
            wait_until(
                lambda: database[STREAMING_DATA].find_one({"_id": f"ticker|{symbol}", "close": 8.0}),
                limit=10,
                what="the latest ticker",
            )
            klines = list(database[STREAMING_DATA].find({"kind": "kline"}))
            assert [found["_id"] for found in klines] == [f"kline|{symbol}|1m|{START_MS}"]

    def test_a_dropped_connection_is_opened_again(
        self, live_settings: Settings, database: Documents, feed: Feed, symbol: str, start: Starter
    ) -> None:
        with start("producer"), start("sink"):
            wait_until(lambda: feed.connected, limit=10, what="the producer")
            feed.send(trade(symbol, 0))
            feed.drop()
            wait_until(lambda: len(feed.paths) == 2 and feed.connected, limit=10, what="the producer again")
            feed.send(trade(symbol, 1))
            await_trades(database, symbol, range(2))

    def test_a_killed_sink_loses_and_doubles_nothing(
        self, live_settings: Settings, database: Documents, symbol: str, start: Starter
    ) -> None:
        publish(live_settings, [wrap(trade(symbol, n).encode(), RECEIVED_MS) for n in range(30_000)])
        with start("sink") as first:
            wait_until(lambda: stored_ids(database, symbol), limit=30, what="the first batch")
            first.kill()
            first.wait(5)
        assert len(stored_ids(database, symbol)) < 30_000
        with start("sink"):
            await_trades(database, symbol, range(30_000))

    def test_a_broken_message_becomes_a_dead_letter_and_blocks_nothing(
        self, live_settings: Settings, database: Documents, symbol: str, start: Starter
    ) -> None:
        broken = b'{"stream":"x","data":{' + secrets.token_hex(8).encode()
        publish(
            live_settings,
            [
                wrap(trade(symbol, 0).encode(), RECEIVED_MS),
                broken,
                wrap(trade(symbol, 1).encode(), RECEIVED_MS),
            ],
        )
        with start("sink"):
            await_trades(database, symbol, range(2))
        letter = dead_letter(live_settings, broken)
        assert letter["topic"] == topics.TRADES
        assert "JSONDecodeError" in letter["reason"]
        with KafkaConsumer(bootstrap_servers=live_settings.kafka_bootstrap) as consumer:
            from kafka import TopicPartition

            partition = TopicPartition(letter["topic"], int(letter["partition"]))
            consumer.assign([partition])
            consumer.seek(partition, int(letter["offset"]))
            found = consumer.poll(timeout_ms=5_000, max_records=1)
        assert found[partition][0].value == broken

    def test_what_the_exchange_sends_broken_is_kept_as_a_dead_letter(
        self, live_settings: Settings, database: Documents, feed: Feed, symbol: str, start: Starter
    ) -> None:
        broken = f'{{"stream":"{symbol}@trade","data":'
        with start("producer"), start("sink"):
            wait_until(lambda: feed.connected, limit=10, what="the producer")
            feed.send(broken, trade(symbol, 0))
            await_trades(database, symbol, range(1))
        assert dead_letter(live_settings, broken.encode())["topic"] == "exchange"

    def test_tells_how_it_is(
        self, live_settings: Settings, database: Documents, feed: Feed, symbol: str, start: Starter
    ) -> None:
        with start("producer") as process:
            wait_until(lambda: feed.connected, limit=10, what="the producer")
            feed.send(trade(symbol, 0))
            report = wait_until(
                lambda: database.service_health.find_one({"detail.messages": 1}), limit=15, what="a report"
            )
            assert report["_id"].startswith(f"producer:{process.pid}@")
            assert report["state"] == "healthy"
            assert heartbeat(live_settings, report["instance"])["service"] == "producer"
        assert database.service_health.count_documents({}) == 0


def dead_letter(settings: Settings, value: bytes) -> dict[str, str]:
    """Return the headers of the dead letter that holds ``value``."""
    with KafkaConsumer(
        topics.DEAD_LETTER,
        bootstrap_servers=settings.kafka_bootstrap,
        auto_offset_reset="earliest",
        consumer_timeout_ms=10_000,
    ) as consumer:
        letter = next(letter for letter in consumer if letter.value == value)
    return {name: found.decode() for name, found in letter.headers}


def heartbeat(settings: Settings, instance: str) -> dict[str, Any]:
    with KafkaConsumer(
        topics.HEARTBEAT,
        bootstrap_servers=settings.kafka_bootstrap,
        auto_offset_reset="earliest",
        consumer_timeout_ms=10_000,
    ) as consumer:
        beats = (json.loads(beat.value) for beat in consumer)
        return next(beat for beat in beats if beat["instance"] == instance)
