"""WebSocket connections: what a client asks for, how it is kept honest, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict, deque
from typing import Any

import orjson
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from infra.exchange import events
from infra.exchange.faults import Faults
from infra.exchange.feed import Feed
from infra.exchange.options import Options
from infra.exchange.subscription import Stream, parse

_UNANSWERED_PINGS = 3
_MESSAGES_A_SECOND = 5
_MOST_STREAMS = 1_024
_CONNECTIONS_SECONDS = 300.0
_BACKLOG_BYTES = 64 * 1024 * 1024


class Visitors:
    """All connections of the stream server."""

    def __init__(self, feed: Feed, faults: Faults, options: Options) -> None:
        self._feed = feed
        self._faults = faults
        self._options = options
        self._connections: set[Connection] = set()
        self._arrivals: dict[str, deque[float]] = defaultdict(deque)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of raw and combined streams."""
        return [
            web.get("/ws", self._raw),
            web.get("/ws/{streams:.*}", self._raw),
            web.get("/stream", self._combined),
        ]

    def drop_all(self) -> int:
        """Cut every connection without a word; return how many there were."""
        dropped = list(self._connections)
        for connection in dropped:
            connection.abort()
        return len(dropped)

    async def announce_shutdown(self, limit: float) -> None:
        """Tell every client that the server goes down, and close all connections."""
        notice = events.frame(orjson.dumps({"e": "serverShutdown", "E": self._feed.now_ms}))
        leaving = list(self._connections)
        for connection in leaving:
            connection.send(notice)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await asyncio.gather(
                    *(one.close(WSCloseCode.GOING_AWAY, "serverShutdown") for one in leaving)
                )

    async def _raw(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, request.match_info.get("streams", ""), wrapped=False)

    async def _combined(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, request.query.get("streams", ""), wrapped=True)

    async def _serve(self, request: web.Request, streams: str, *, wrapped: bool) -> web.StreamResponse:
        names = [name for name in streams.split("/") if name]
        if not self._admitted(request.remote or "") or len(names) > _MOST_STREAMS:
            raise web.HTTPTooManyRequests(text="too many connections, or too many streams in one")
        connection = Connection(self._feed, request, wrapped=wrapped)
        self._connections.add(connection)
        try:
            return await connection.serve(names, self._options)
        finally:
            self._connections.discard(connection)

    def _admitted(self, address: str) -> bool:
        arrivals, now = self._arrivals[address], time.monotonic()
        while arrivals and arrivals[0] < now - _CONNECTIONS_SECONDS:
            arrivals.popleft()
        arrivals.append(now)
        return len(arrivals) <= self._options.connection_limit


class Connection:
    """One client's WebSocket and its subscriptions."""

    def __init__(self, feed: Feed, request: web.Request, *, wrapped: bool) -> None:
        self._feed = feed
        self._request = request
        self._wrapped = wrapped
        self._scale = 1_000 if request.query.get("timeUnit", "").upper() == "MICROSECOND" else 1
        self._streams: dict[str, Stream | None] = {}
        self._socket = web.WebSocketResponse(compress=False, autoping=False)
        self._heard = time.monotonic()
        self._messages: deque[float] = deque(maxlen=_MESSAGES_A_SECOND)

    def send(self, frames: bytes) -> None:
        """Write whole frames as they are; a client that lets too much pile up is cut off."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > _BACKLOG_BYTES:
            transport.abort()
        else:
            transport.write(frames)

    def abort(self) -> None:
        """Cut the connection without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close(self, code: WSCloseCode, reason: str) -> None:
        """End the connection as the protocol wants it."""
        await self._socket.close(code=code, message=reason.encode())

    async def serve(self, names: list[str], options: Options) -> web.StreamResponse:
        """Serve the client until it leaves, or its time is over."""
        await self._socket.prepare(self._request)
        self._subscribe(names)
        watch = asyncio.create_task(self._watch(options.connection_seconds, options.ping_seconds))
        try:
            async for message in self._incoming():
                if not await self._heed(message):
                    break
        finally:
            watch.cancel()
            self._unsubscribe(list(self._streams))
        return self._socket

    async def _incoming(self) -> Any:
        while not self._socket.closed:
            message = await self._socket.receive()
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                return
            yield message

    async def _watch(self, limit_seconds: float, ping_seconds: float) -> None:
        """Ping; end the connection when the client is silent, or its time is over."""
        ends = time.monotonic() + limit_seconds
        while (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(ping_seconds, left))
            if time.monotonic() - self._heard > _UNANSWERED_PINGS * ping_seconds:
                self.abort()
                return
            if time.monotonic() < ends:
                await self._socket.ping(str(self._feed.now_ms).encode())
        await self.close(WSCloseCode.OK, "the connection is at its end")

    async def _heed(self, message: WSMessage) -> bool:
        """Answer one message; return False when the client sends more than it may."""
        if message.type is WSMsgType.PONG:
            self._heard = time.monotonic()
            return True
        now = time.monotonic()
        if len(self._messages) == _MESSAGES_A_SECOND and now - self._messages[0] < 1:
            await self.close(WSCloseCode.POLICY_VIOLATION, "Too many requests")
            return False
        self._messages.append(now)
        if message.type is WSMsgType.PING:
            await self._socket.pong(message.data)
        else:
            self.send(events.frame(orjson.dumps(self._answer(message.data))))
        return True

    def _answer(self, text: str | bytes) -> dict[str, Any]:
        try:
            asked = orjson.loads(text)
        except ValueError as error:
            return _error(3, f"Invalid JSON: {error}", None)
        if not isinstance(asked, dict):
            return _error(3, "Invalid JSON: expected an object", None)
        number, names = asked.get("id"), asked.get("params", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return _error(1, "Invalid value type: expected an array of strings", number)
        match asked.get("method"):
            case "SUBSCRIBE":
                if len(self._streams.keys() | set(names)) > _MOST_STREAMS:
                    return _error(2, f"Invalid request: more than {_MOST_STREAMS} streams", number)
                self._subscribe(names)
            case "UNSUBSCRIBE":
                self._unsubscribe(names)
            case "LIST_SUBSCRIPTIONS":
                return {"result": list(self._streams), "id": number}
            case _:
                return _error(2, "Invalid request: unknown method", number)
        return {"result": None, "id": number}

    def _subscribe(self, names: list[str]) -> None:
        for name in names:
            stream = self._streams[name] = parse(name, wrapped=self._wrapped, scale=self._scale)
            if stream is not None:
                self._feed.subscribe(stream, self)

    def _unsubscribe(self, names: list[str]) -> None:
        for name in names:
            stream = self._streams.pop(name, None)
            if stream is not None:
                self._feed.unsubscribe(stream, self)


def _error(code: int, message: str, number: object) -> dict[str, Any]:
    return {"error": {"code": code, "msg": message}, "id": number}
