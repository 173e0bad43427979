"""Kafka away until the memory is used up: the exchange is held back, what it drops is refilled."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest
from kafka import KafkaConsumer

from cryptobot.market import topics
from cryptobot.settings import Settings
from infra.local import kafka
from streaming.broker import RECORD_BYTES, Publisher
from streaming.producer import Producer
from tests.servers import free_port, wait_until
from tests.streaming.feed import Feed, aggregate, trade
from tests.streaming.test_live_path import Documents
from tests.streaming.test_outages import broker

MOST = 200
COUNT = 80_000
"""Of 190 bytes each: more than the buffers between the two ends hold."""


def published_ids(bootstrap: str) -> list[int]:
    with KafkaConsumer(
        topics.TRADES,
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        consumer_timeout_ms=3_000,
    ) as consumer:
        return [orjson.loads(record.value)["data"]["t"] for record in consumer]


@pytest.mark.slow
class TestBackpressure:
    async def test_memory_is_bounded_and_nothing_is_missing_afterwards(
        self, app_settings: Settings, database: Documents, feed: Feed, symbol: str, tmp_path: Path
    ) -> None:
        port = free_port()
        kafka.configure(tmp_path / "kafka", port, free_port())
        bootstrap = f"127.0.0.1:{port}"
        settings = app_settings.model_copy(
            update={
                "stream_url": feed.url,
                "rest_url": feed.rest_url,
                "stream_silence_seconds": 3_600,
                "symbols": (symbol,),
                "intervals": ("1m",),
            }
        )
        publisher = Publisher(bootstrap, buffer_bytes=MOST * RECORD_BYTES)
        producer = Producer(settings, publisher)
        work = [asyncio.create_task(producer.stream.run()), asyncio.create_task(producer.keeper.run())]

        async def until(condition: object, what: str, limit: float = 40) -> None:
            await asyncio.to_thread(wait_until, condition, limit=limit, what=what)  # type: ignore[arg-type]

        with ExitStack() as servers:
            await until(lambda: feed.connected, "the connection")
            for first in range(0, COUNT, 1_000):
                await asyncio.to_thread(feed.send, *[trade(symbol, first + i) for i in range(1_000)])
            await until(lambda: publisher.full, "the end of the memory")
            await asyncio.sleep(0.5)
            assert publisher.waiting <= MOST + 1
            await asyncio.to_thread(feed.drop)
            feed.aggregates = [aggregate(1 + at, 10 * at, 10 * at + 9) for at in range(COUNT // 10)]
            await asyncio.to_thread(servers.enter_context, broker(tmp_path / "kafka", port))
            await until(lambda: len(feed.paths) >= 2 and feed.connected, "another connection")
            await asyncio.to_thread(feed.send, trade(symbol, COUNT))
            await until(lambda: producer.keeper.repaired, "the refilled hole")
            await until(lambda: not publisher.waiting, "the last acknowledgement")
            await until(
                lambda: database.stream_positions.find_one({"position": COUNT}), "the position behind it all"
            )
            ids = await asyncio.to_thread(published_ids, bootstrap)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await asyncio.to_thread(producer.keeper.end)
            await asyncio.to_thread(publisher.close, 1)
        assert set(ids) == set(range(COUNT + 1))
        assert producer.stream.reconnects >= 1
