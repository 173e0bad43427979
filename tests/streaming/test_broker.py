from __future__ import annotations

from pathlib import Path

import pytest
from kafka import KafkaConsumer

from cryptobot.market import topics
from cryptobot.settings import Settings
from streaming.broker import RECORD_BYTES, Publisher
from tests.servers import free_port, wait_until
from tests.streaming.conftest import starter
from tests.streaming.feed import Feed, trade


class TestPublisher:
    def test_is_full_when_its_memory_is_used_up_and_not_when_all_is_acknowledged(
        self, kafka_bootstrap: str, symbol: str
    ) -> None:
        publisher = Publisher(kafka_bootstrap, buffer_bytes=3 * RECORD_BYTES)
        try:
            for number in range(4):
                publisher.publish(topics.SIGNALS, str(number).encode(), symbol.encode())
            wait_until(lambda: not publisher.full, limit=20, what="room")
            assert publisher.flush(10)
            assert publisher.answered
        finally:
            publisher.close(5)
        with KafkaConsumer(
            topics.SIGNALS,
            bootstrap_servers=kafka_bootstrap,
            auto_offset_reset="earliest",
            consumer_timeout_ms=5_000,
        ) as consumer:
            mine = (record.value for record in consumer if record.key == symbol.encode())
            assert [next(mine) for _ in range(4)] == [b"0", b"1", b"2", b"3"]

    def test_keeps_everything_while_kafka_is_away(self) -> None:
        publisher = Publisher(f"127.0.0.1:{free_port()}", buffer_bytes=3 * RECORD_BYTES)
        try:
            for number in range(4):
                publisher.publish(topics.SIGNALS, str(number).encode())
            publisher.announce(topics.HEARTBEAT, b"{}", b"test")
            assert (publisher.waiting, publisher.full, publisher.answered) == (4, True, False)
            assert not publisher.flush(0.1)
        finally:
            publisher.close(0)


@pytest.mark.slow
class TestStop:
    def test_the_services_stop_in_time_while_kafka_is_away(
        self, live_settings: Settings, feed: Feed, symbol: str, tmp_path: Path
    ) -> None:
        settings = live_settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{free_port()}"})
        start = starter(settings, tmp_path)  # asserts exit code 0 within 10 s
        with start("producer"), start("sink"):
            wait_until(lambda: feed.connected, limit=10, what="the producer")
            feed.send(trade(symbol, 0))
