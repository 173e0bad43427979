"""The REST endpoints."""

from __future__ import annotations

import orjson
from aiohttp import web

from infra.exchange import klines
from infra.exchange.errors import ApiError
from infra.exchange.parameters import Parameters
from infra.exchange.present import Present

_NONE: frozenset[str] = frozenset()


class Rest:
    """Answers of the REST endpoints from the present market."""

    def __init__(self, present: Present) -> None:
        self._present = present

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of all endpoints."""
        return [
            web.get("/api/v3/ping", self._ping),
            web.get("/api/v3/time", self._time),
            web.get("/api/v3/exchangeInfo", self._exchange_info),
            web.get("/api/v3/klines", self._klines),
        ]

    async def _ping(self, request: web.Request) -> web.Response:
        return body({})

    async def _time(self, request: web.Request) -> web.Response:
        return body({"serverTime": self._present.clock.now_ms()})

    async def _exchange_info(self, request: web.Request) -> web.Response:
        instruments = self._present.market.instruments.values()
        return body(
            {
                "timezone": "UTC",
                "serverTime": self._present.clock.now_ms(),
                "rateLimits": [],
                "exchangeFilters": [],
                "symbols": [instrument.describe() for instrument in instruments],
            }
        )

    async def _klines(self, request: web.Request) -> web.Response:
        query = Parameters(request.query_string, klines.PARAMETERS)
        page = klines.page(self._present, query, self._present.clock.now_ms(), 1)
        return web.Response(body=page, content_type="application/json")


def body(value: object, status: int = 200) -> web.Response:
    """Return ``value`` as a JSON answer."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


@web.middleware
async def answer_errors(request: web.Request, handler: object) -> web.StreamResponse:
    """Turn an :class:`ApiError` into the exchange's error body."""
    try:
        return await handler(request)  # type: ignore[operator]
    except ApiError as error:
        return body({"code": error.code, "msg": error.message}, error.status)
