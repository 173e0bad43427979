"""WebSocket connections: what a client asks for, and how long it may stay."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from infra.exchange.feed import Feed, Stream, parse

_CLOSED = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


class Connection:
    """One client's WebSocket and its subscriptions."""

    def __init__(self, feed: Feed, request: web.Request, *, wrapped: bool) -> None:
        self._feed = feed
        self._request = request
        self._wrapped = wrapped
        self._scale = 1000 if request.query.get("timeUnit", "").upper() == "MICROSECOND" else 1
        self._streams: dict[str, Stream] = {}
        self.socket = web.WebSocketResponse(compress=False)

    def send(self, frames: bytes) -> None:
        """Write whole frames as they are."""
        transport = self._request.transport
        if transport is not None and not transport.is_closing():
            transport.write(frames)

    async def serve(self, names: list[str]) -> web.WebSocketResponse:
        """Serve the client until it leaves."""
        await self.socket.prepare(self._request)
        self._subscribe(names)
        try:
            while True:
                message = await self.socket.receive()
                if message.type in _CLOSED:
                    break
                if message.type is WSMsgType.TEXT:
                    await self._answer(orjson.loads(message.data))
        finally:
            self._unsubscribe(list(self._streams))
        return self.socket

    async def _answer(self, asked: dict[str, Any]) -> None:
        method, names = asked.get("method"), asked.get("params", [])
        result: list[str] | None = None
        if method == "SUBSCRIBE":
            self._subscribe(names)
        elif method == "UNSUBSCRIBE":
            self._unsubscribe(names)
        elif method == "LIST_SUBSCRIPTIONS":
            result = list(self._streams)
        await self.socket.send_str(orjson.dumps({"result": result, "id": asked.get("id")}).decode())

    def _subscribe(self, names: list[str]) -> None:
        for name in names:
            stream = parse(name, None, wrapped=self._wrapped, scale=self._scale)
            if stream is not None:
                self._streams[name] = stream
                self._feed.subscribe(stream, self)

    def _unsubscribe(self, names: list[str]) -> None:
        for name in names:
            if stream := self._streams.pop(name, None):
                self._feed.unsubscribe(stream, self)


def routes(feed: Feed) -> list[web.RouteDef]:
    """Return the routes of raw and combined streams."""

    async def raw(request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("stream", "")
        return await Connection(feed, request, wrapped=False).serve(
            [part for part in name.split("/") if part]
        )

    async def combined(request: web.Request) -> web.StreamResponse:
        names = request.query.get("streams", "").split("/")
        return await Connection(feed, request, wrapped=True).serve([part for part in names if part])

    return [web.get("/ws", raw), web.get("/ws/{stream:.+}", raw), web.get("/stream", combined)]


__all__ = ["Connection", "asyncio", "routes"]
