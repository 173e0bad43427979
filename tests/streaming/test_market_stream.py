from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cryptobot.exchange.stream import MarketStream, backoff, stream_names
from tests.servers import wait_until
from tests.streaming.feed import Feed, trade

SHUTDOWN = '{"e":"serverShutdown","E":1700000000000}'


class Reader:
    """A market stream followed in the background, and what it delivered."""

    def __init__(self, url: str, names: list[str], age_s: float = 3_600) -> None:
        self.frames: list[str] = []
        self.stream = MarketStream(url, names, self._deliver, age_s=age_s)

    async def _deliver(self, frame: bytes) -> None:
        self.frames.append(frame.decode())


@asynccontextmanager
async def following(feed: Feed, names: list[str], age_s: float = 3_600) -> AsyncIterator[Reader]:
    reader = Reader(feed.url, names, age_s)
    task = asyncio.create_task(reader.stream.run())
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: object, what: str) -> None:
    await asyncio.to_thread(wait_until, condition, limit=10, what=what)  # type: ignore[arg-type]


class TestStreamNames:
    def test_names_every_stream_of_a_symbol_in_lower_case(self) -> None:
        assert stream_names(["BTCUSDT"], ["1m", "1M"]) == [
            "btcusdt@trade",
            "btcusdt@kline_1m",
            "btcusdt@kline_1M",
            "btcusdt@miniTicker",
        ]


class TestBackoff:
    def test_doubles_to_its_limit_with_jitter(self) -> None:
        waits = backoff(1, 8)
        for nominal in (1, 2, 4, 8, 8):
            assert nominal / 2 <= next(waits) <= nominal


class TestMarketStream:
    def test_refuses_to_follow_nothing(self) -> None:
        with pytest.raises(ValueError, match="CRYPTOBOT_SYMBOLS"):
            Reader("ws://127.0.0.1:1", [])

    async def test_delivers_frames_as_they_were_sent(self, feed: Feed) -> None:
        async with following(feed, ["btcusdt@trade"]) as reader:
            await until(lambda: feed.connected == 1, "the connection")
            frames = [trade("BTCUSDT", trade_id) for trade_id in range(3_000)]
            feed.send(*frames)
            await until(lambda: len(reader.frames) == 3_000, "all frames")
        assert reader.frames == frames
        assert feed.paths == ["/stream?streams=btcusdt@trade"]

    async def test_spreads_many_streams_over_connections(self, feed: Feed) -> None:
        names = stream_names([f"S{number}USDT" for number in range(400)], ["1m", "1h"])
        async with following(feed, names):
            await until(lambda: feed.connected == 8, "eight connections of 200 streams")
        asked = [name for path in feed.paths for name in path.removeprefix("/stream?streams=").split("/")]
        assert sorted(asked) == sorted(names)

    async def test_connects_again_when_the_connection_breaks(self, feed: Feed) -> None:
        async with following(feed, ["btcusdt@trade"]) as reader:
            await until(lambda: feed.connected == 1, "the connection")
            feed.drop()
            await until(lambda: len(feed.paths) == 2 and feed.connected == 1, "another connection")
            feed.send(trade("BTCUSDT", 1))
            await until(lambda: reader.frames, "a frame")
            assert reader.stream.reconnects == 1

    async def test_reads_both_connections_while_one_replaces_the_other(self, feed: Feed) -> None:
        async with following(feed, ["btcusdt@trade"]) as reader:
            await until(lambda: feed.connected == 1, "the connection")
            feed.send(SHUTDOWN)
            await until(lambda: feed.connected == 2, "the replacement beside the old connection")
            feed.send_to(0, trade("BTCUSDT", 1))
            feed.send_to(1, trade("BTCUSDT", 2))
            await until(lambda: len(reader.frames) == 2, "a frame of either connection")
            await until(lambda: feed.connected == 1, "the end of the old connection")
            feed.send(trade("BTCUSDT", 3))
            await until(lambda: len(reader.frames) == 3, "a frame of the replacement")
            assert (reader.stream.handovers, reader.stream.reconnects) == (1, 0)
        assert SHUTDOWN not in reader.frames

    async def test_replaces_a_connection_before_the_exchange_ends_it(self, feed: Feed) -> None:
        async with following(feed, ["btcusdt@trade"], age_s=0.5) as reader:
            await until(lambda: reader.stream.handovers >= 1, "a planned replacement")
            assert reader.stream.reconnects == 0
