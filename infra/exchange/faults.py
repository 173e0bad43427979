"""Faults on demand: what tests ask to go wrong, by an admin port on loopback.

``POST /faults`` takes a JSON object of the fields of :class:`Faults` and replaces those named;
``DELETE /faults`` ends them all; ``GET /faults`` shows them; ``POST /drop`` cuts every stream.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import orjson
from aiohttp import web

from infra.exchange.errors import ApiError
from infra.exchange.limits import banned, too_much_weight


@dataclass(slots=True)
class Faults:
    """What goes wrong now. Shares are of all requests or messages, from 0 to 1."""

    status: int = 0
    """REST answers with this status (429, 418, 403, 5xx) instead, where not 0."""
    status_share: float = 1.0
    latency_ms: float = 0.0
    """Each REST answer comes this much later."""
    drop_share: float = 0.0
    """Share of REST requests whose connection is cut without an answer."""
    missing_candles: float = 0.0
    """Share of candles left out of kline pages, and of closed candles not streamed."""
    repeated_candles: float = 0.0
    """Share of closed candles streamed twice."""
    out_of_order: bool = False
    """Each batch of trades is sent in reverse."""
    broken_share: float = 0.0
    """Share of batches of trades before which a message that is no JSON is sent."""

    def chance(self, share: float) -> bool:
        """Tell whether something that befalls ``share`` of all befalls this one."""
        return share > 0 and random.random() < share

    async def befall(self, request: web.Request) -> None:
        """Delay, cut or refuse a REST request as asked; raises :class:`ApiError` to refuse."""
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1_000)
        if self.chance(self.drop_share) and request.transport is not None:
            request.transport.abort()
        if self.status and self.chance(self.status_share):
            raise _refusal(self.status)

    def missing(self, open_ms: int, interval: str) -> bool:
        """Tell whether a candle is missing; the same candle always is or is not."""
        if not self.missing_candles:
            return False
        return random.Random(f"{interval}|{open_ms}").random() < self.missing_candles


def application(faults: Faults, drop_all: Callable[[], int]) -> web.Application:
    """Return the admin port's application."""

    async def show(request: web.Request) -> web.Response:
        return web.json_response(asdict(faults))

    async def change(request: web.Request) -> web.Response:
        kinds: dict[str, type[Any]] = {field.name: type(field.default) for field in fields(Faults)}
        try:
            asked = orjson.loads(await request.read())
            values = {name: kinds[name](value) for name, value in asked.items()}
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise web.HTTPBadRequest(text=f"faults are an object of {', '.join(kinds)}: {error!r}") from error
        for name, value in values.items():
            setattr(faults, name, value)
        return web.json_response(asdict(faults))

    async def clear(request: web.Request) -> web.Response:
        for field in fields(Faults):
            setattr(faults, field.name, field.default)
        return web.json_response(asdict(faults))

    async def drop(request: web.Request) -> web.Response:
        return web.json_response({"dropped": drop_all()})

    app = web.Application()
    app.add_routes(
        [
            web.get("/faults", show),
            web.post("/faults", change),
            web.delete("/faults", clear),
            web.post("/drop", drop),
        ]
    )
    return app


def _refusal(status: int) -> ApiError:
    if status == 429:
        return too_much_weight(6_000, 1)
    if status == 418:
        return banned(int((time.time() + 120) * 1_000), 120)
    return ApiError(-1000, "An unknown error occurred while processing the request.", status)
