"""Positions follow Kafka's acknowledgements, and holes their records, on a real MongoDB."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cryptobot.market import topics
from cryptobot.market.instant import from_ms
from cryptobot.settings import Settings
from cryptobot.storage.collections import GAPS, STREAM_POSITIONS
from cryptobot.storage.stream_positions import StreamPosition, load_positions, save_positions
from streaming.broker import Publisher
from streaming.continuity import keeper as module
from streaming.continuity.keeper import Keeper
from streaming.continuity.streams import Streams
from tests.servers import free_port, wait_until
from tests.streaming.feed import START_MS, Feed, aggregate, trade
from tests.streaming.test_live_path import Documents

BTC = "BTCUSDT"
STORED = StreamPosition("trade", BTC, None, 4, START_MS + 4)


class Followed:
    """Streams that are kept, with a Kafka that is away until it is said to have acknowledged all."""

    def __init__(self, settings: Settings) -> None:
        self.publisher = Publisher(f"127.0.0.1:{free_port()}")
        self.streams = Streams([BTC], ["1m"])
        self.keeper = Keeper(settings, self.streams, self.publisher)

    def trade(self, number: int) -> None:
        self.publisher.publish(topics.TRADES, b"{}", b"key")
        self.streams.trade(BTC, json.loads(trade(BTC, number))["data"])

    def acknowledge(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Publisher, "settled", property(lambda publisher: publisher.published))


@asynccontextmanager
async def followed(settings: Settings, feed: Feed) -> AsyncIterator[Followed]:
    made = Followed(
        settings.model_copy(update={"rest_url": feed.rest_url, "symbols": (BTC,), "intervals": ("1m",)})
    )
    task = asyncio.create_task(made.keeper.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(made.keeper.end)
        await asyncio.to_thread(made.publisher.close, 0)


async def until(condition: object, what: str) -> None:
    await asyncio.to_thread(wait_until, condition, limit=15, what=what)  # type: ignore[arg-type]


class TestKeeper:
    async def test_records_no_position_that_kafka_has_not_acknowledged(
        self, app_settings: Settings, database: Documents, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "EVERY_S", 0.02)
        async with followed(app_settings, feed) as kept:
            for number in range(5, 9):
                kept.trade(number)
            await asyncio.sleep(0.5)
            assert database[STREAM_POSITIONS].count_documents({}) == 0
            kept.acknowledge(monkeypatch)
            await until(lambda: database[STREAM_POSITIONS].find_one({"position": 8}), "the position")

    async def test_a_hole_since_the_last_run_holds_the_position_until_it_is_filled(
        self, app_settings: Settings, database: Documents, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save_positions(database, app_settings.exchange, [STORED])
        async with followed(app_settings, feed) as kept:
            kept.acknowledge(monkeypatch)
            kept.trade(8)
            await until(lambda: kept.keeper.open == 1, "the hole")
            assert load_positions(database, app_settings.exchange, [BTC]) == [STORED]
            feed.aggregates = [aggregate(1, 0, 7)]
            await until(
                lambda: database[STREAM_POSITIONS].find_one({"position": 8}), "the position behind it"
            )
            assert (kept.keeper.open, kept.keeper.repaired, kept.keeper.absent) == (0, 1, 0)
            gap = database[GAPS].find_one({"_id": f"trade|{BTC}|5"})
        assert gap is not None
        assert (gap["last_id"], gap["state"], gap["from"]) == (7, "repaired", from_ms(STORED.event_ms))
        assert kept.publisher.published == 4

    async def test_what_the_exchange_never_lists_is_absent_and_the_position_goes_on(
        self, app_settings: Settings, database: Documents, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "ATTEMPTS", 2)
        feed.aggregates = [aggregate(1, 0, 5), aggregate(2, 8, 9)]
        async with followed(app_settings, feed) as kept:
            kept.acknowledge(monkeypatch)
            for number in (5, 8):
                kept.trade(number)
            await until(
                lambda: database[STREAM_POSITIONS].find_one({"position": 8}), "the position behind it"
            )
            await until(
                lambda: database[GAPS].find_one({"_id": f"trade|{BTC}|6", "state": "absent at the source"}),
                "the record",
            )
            assert (kept.keeper.open, kept.keeper.absent) == (0, 1)

    async def test_the_last_positions_are_recorded_at_the_end(
        self, app_settings: Settings, database: Documents, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with followed(app_settings, feed) as kept:
            kept.acknowledge(monkeypatch)
            kept.trade(5)
            await until(lambda: database[STREAM_POSITIONS].find_one({"position": 5}), "the first position")
            kept.trade(6)
        assert load_positions(database, app_settings.exchange, [BTC])[0].position == 6
