from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptobot.exchange.openings import (
    ADDRESS_CHARACTERS,
    STREAMS_PER_CONNECTION,
    Turnstile,
    backoff,
    shares,
    stream_names,
)
from cryptobot.exchange.stream import OVERLAP_S, MarketStream
from tests.servers import wait_until
from tests.streaming.feed import Feed, trade

SHUTDOWN = '{"e":"serverShutdown","E":1700000000000}'


class Reader:
    """A market stream followed in the background, and what it delivered."""

    def __init__(self, url: str, names: list[str], age_s: float = 3_600, silence_s: float = 10) -> None:
        self.frames: list[str] = []
        self.stream = MarketStream(url, names, self._deliver, age_s=age_s, silence_s=silence_s)
        self.room = asyncio.Event()
        self.room.set()

    def _deliver(self, frame: bytes) -> Awaitable[None] | None:
        self.frames.append(frame.decode())
        return None if self.room.is_set() else asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        await self.room.wait()


@asynccontextmanager
async def following(
    feed: Feed, names: list[str], age_s: float = 3_600, silence_s: float = 10
) -> AsyncIterator[Reader]:
    reader = Reader(feed.url, names, age_s, silence_s)
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


class TestShares:
    @given(
        st.lists(st.text("abcdefghij", min_size=4, max_size=20), min_size=1, max_size=60, unique=True),
        st.lists(st.sampled_from(["1m", "3m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"]), unique=True),
    )
    def test_each_stream_is_in_one_share_and_each_share_is_small(
        self, symbols: list[str], intervals: list[str]
    ) -> None:
        names = stream_names(symbols, intervals)
        cut = shares(names)
        assert [name for share in cut for name in share] == names
        for share in cut:
            assert len(share) <= STREAMS_PER_CONNECTION
            assert len("/".join(share)) <= ADDRESS_CHARACTERS
        homes = [{name.partition("@")[0] for name in share} for share in cut]
        assert sum(map(len, homes)) == len(symbols)


class TestTurnstile:
    async def test_lets_so_many_through_at_once_and_then_waits(self) -> None:
        turnstile = Turnstile(3, 0.3)
        began = time.monotonic()
        for _ in range(3):
            await turnstile.enter()
        assert time.monotonic() - began < 0.2
        for _ in range(3):
            await turnstile.enter()
        assert 0.3 <= time.monotonic() - began < 0.6
        await turnstile.enter()
        assert time.monotonic() - began >= 0.6


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

    async def test_leaves_the_old_connection_only_after_the_new_one_has_spoken(self, feed: Feed) -> None:
        async with following(feed, ["btcusdt@trade"]) as reader:
            await until(lambda: feed.connected == 1, "the connection")
            feed.send(SHUTDOWN)
            await until(lambda: feed.connected == 2, "the replacement beside the old connection")
            await asyncio.sleep(OVERLAP_S * 1.5)
            assert feed.connected == 2
            feed.send_to(1, trade("BTCUSDT", 1))
            await until(lambda: feed.connected == 1, "the end of the old connection")
            assert reader.stream.reconnects == 0

    async def test_opens_a_silent_connection_anew(self, feed: Feed) -> None:
        async with following(feed, ["btcusdt@trade"], silence_s=0.5) as reader:
            await until(lambda: len(feed.paths) >= 2 and feed.connected == 1, "another connection")
            feed.send(trade("BTCUSDT", 1))
            await until(lambda: reader.frames, "a frame")
            assert reader.stream.reconnects >= 1

    async def test_frames_in_time_are_no_silence(self, feed: Feed) -> None:
        async with following(feed, ["btcusdt@trade"], silence_s=0.5) as reader:
            await until(lambda: feed.connected == 1, "the connection")
            for number in range(6):
                feed.send(trade("BTCUSDT", number))
                await asyncio.sleep(0.25)
            assert (reader.stream.reconnects, len(feed.paths)) == (0, 1)

    async def test_a_connection_that_is_held_back_is_not_silent(self, feed: Feed) -> None:
        async with following(feed, ["btcusdt@trade"], silence_s=0.3) as reader:
            await until(lambda: feed.connected == 1, "the connection")
            reader.room.clear()
            feed.send(trade("BTCUSDT", 1), trade("BTCUSDT", 2))
            await until(lambda: reader.frames, "the frame that is held")
            await asyncio.sleep(1)
            assert (len(reader.frames), reader.stream.reconnects) == (1, 0)
            reader.room.set()
            await until(lambda: len(reader.frames) == 2, "the next frame")
