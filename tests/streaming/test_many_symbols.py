"""400 symbols at once, each with trades, candles of every configured interval and tickers."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from cryptobot.exchange.openings import stream_names
from cryptobot.exchange.stream import MarketStream
from tests.exchange_server import running_exchange
from tests.servers import wait_until

SYMBOLS = [f"S{number:03d}USDT" for number in range(400)]
INTERVALS = ("1m", "15m", "1h", "1d")


@pytest.mark.slow
class TestManySymbols:
    async def test_every_stream_of_400_symbols_is_delivered(self) -> None:
        names = stream_names(SYMBOLS, INTERVALS)
        seen: set[str] = set()
        last: dict[str, int] = {}
        holes: list[str] = []

        def deliver(frame: bytes) -> None:
            message = orjson.loads(frame)
            event = message["data"]
            seen.add(message["stream"])
            if event["e"] == "trade":
                symbol, number = event["s"], event["t"]
                if last.get(symbol, number - 1) != number - 1:
                    holes.append(f"{symbol} {last[symbol]} {number}")
                last[symbol] = number

        with running_exchange(EXCHANGE_SYMBOLS=",".join(SYMBOLS), EXCHANGE_TRADES_PER_SECOND="1") as url:
            stream = MarketStream(url.replace("http", "ws"), names, deliver)
            task = asyncio.create_task(stream.run())
            await asyncio.to_thread(
                wait_until, lambda: seen == set(names), limit=120, what="a frame of each stream"
            )
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (stream.connections, stream.reconnects, holes) == (13, 0, [])
