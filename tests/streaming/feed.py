"""A WebSocket that sends what a test tells it to, when it tells it to."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.http11 import Request, Response

MINUTE_MS = 60_000
START_MS = 1_700_000_040_000
RECEIVED_MS = time.time_ns() // 1_000_000
"""When messages came that a test writes itself: of late, for MongoDB drops trades that came long ago."""


def trade(symbol: str, trade_id: int, **changed: Any) -> str:
    """Return the frame of one trade."""
    event = {
        "e": "trade", "E": START_MS + trade_id, "s": symbol, "t": trade_id, "p": "63000.12000000",
        "q": "0.00120000", "T": START_MS + trade_id, "m": True, "M": True,
    }  # fmt: skip
    return json.dumps({"stream": f"{symbol.lower()}@trade", "data": {**event, **changed}})


def aggregate(number: int, first_id: int, last_id: int, quantity: str = "0.00120000") -> dict[str, Any]:
    """Return aggTrades' row of some trades."""
    return {
        "a": number, "p": "63000.12000000", "q": quantity, "f": first_id, "l": last_id,
        "T": START_MS + first_id, "m": True, "M": True,
    }  # fmt: skip


def row(minute: int) -> list[Any]:
    """Return klines' row of the candle of :func:`kline`."""
    opened = START_MS + minute * MINUTE_MS
    return [opened, "10", "12", "9", "11", "5.5", opened + MINUTE_MS - 1, "55", 9, "2", "20", "0"]


def kline(symbol: str, minute: int, *, closed: bool) -> str:
    """Return the frame of the 1m candle that opens ``minute`` minutes from the start."""
    opened = START_MS + minute * MINUTE_MS
    k = {
        "t": opened, "T": opened + MINUTE_MS - 1, "s": symbol, "i": "1m", "f": 1, "L": 9, "o": "10",
        "c": "11", "h": "12", "l": "9", "v": "5.5", "n": 9, "x": closed, "q": "55",
        "V": "2", "Q": "20", "B": "0",
    }  # fmt: skip
    event = {"e": "kline", "E": opened + MINUTE_MS, "s": symbol, "k": k}
    return json.dumps({"stream": f"{symbol.lower()}@kline_1m", "data": event})


def ticker(symbol: str, close: str, **changed: Any) -> str:
    """Return the frame of a mini ticker."""
    event = {
        "e": "24hrMiniTicker", "E": START_MS, "s": symbol, "c": close, "o": "1", "h": "9", "l": "1",
        "v": "100", "q": "500",
    }  # fmt: skip
    return json.dumps({"stream": f"{symbol.lower()}@miniTicker", "data": {**event, **changed}})


class Feed:
    """Sends frames to all that are connected; remembers the paths that were asked for.

    Its REST, on the same port, lists the aggregates and the rows of candles that a test puts there.
    """

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.aggregates: list[dict[str, Any]] = []
        self.candles: list[list[Any]] = []
        self.asked: list[str] = []
        self._clients: list[ServerConnection] = []
        self._loop = asyncio.new_event_loop()
        self._server: Server | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._started.wait(5)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    @property
    def rest_url(self) -> str:
        return self.url.replace("ws:", "http:")

    @property
    def connected(self) -> int:
        return len(self._clients)

    def send(self, *frames: str) -> None:
        """Send to all that are connected now."""

        async def send() -> None:
            for frame in frames:
                broadcast(self._clients, frame)

        self._await(send())

    def send_to(self, position: int, frame: str) -> None:
        """Send to the client that connected in that position."""
        self._await(self._clients[position].send(frame))

    def drop(self) -> None:
        """End all connections without a closing handshake."""

        async def drop() -> None:
            for client in list(self._clients):
                client.transport.abort()

        self._await(drop())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _await(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.run_forever()
        assert self._server is not None
        self._server.close()
        self._loop.run_until_complete(self._server.wait_closed())
        self._loop.close()

    def _list(self, path: str) -> Any:
        """Answer as the exchange: aggTrades by time or id, klines by open time."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        most = int(query.get("limit", 500))
        if "/aggTrades" in path and "fromId" in query:
            return [row for row in self.aggregates if row["a"] >= int(query["fromId"])][:most]
        if "/aggTrades" in path:
            between = range(int(query["startTime"]), int(query["endTime"]) + 1)
            return [row for row in self.aggregates if row["T"] in between][:most]
        if "/klines" in path:
            between = range(int(query["startTime"]), int(query["endTime"]) + 1)
            return [row for row in self.candles if row[0] in between][:most]
        return {"serverTime": time.time_ns() // 1_000_000}

    async def _serve(self) -> None:
        async def accept(client: ServerConnection) -> None:
            assert client.request is not None
            self.paths.append(client.request.path)
            self._clients.append(client)
            try:
                await client.wait_closed()
            finally:
                self._clients.remove(client)

        def answer(client: ServerConnection, request: Request) -> Response | None:
            if not request.path.startswith("/api/"):
                return None
            self.asked.append(request.path)
            response = client.respond(200, json.dumps(self._list(request.path)))
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            return response

        self._server = await serve(accept, "127.0.0.1", 0, compression=None, process_request=answer)
        self._started.set()


@contextmanager
def feeding() -> Iterator[Feed]:
    """Serve a feed until the block ends."""
    feed = Feed()
    try:
        yield feed
    finally:
        feed.close()
