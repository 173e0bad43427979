"""The REST endpoints: what each reads, weighs and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from aiohttp import web

from cryptobot.market import Interval
from infra.exchange import errors, klines, spoiled, tickers, trade_rows
from infra.exchange.asked import Asked
from infra.exchange.errors import ApiError
from infra.exchange.faults import Faults, cut
from infra.exchange.limits import Weights
from infra.exchange.parameters import Parameters
from infra.exchange.present import Present

_JSON = "application/json"
_INFO = frozenset({"symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint: the parameters it knows, the weight of a request, and its answer."""

    answer: Callable[[Asked], object]
    weight: Callable[[Parameters], int]
    parameters: frozenset[str] = frozenset()
    threaded: bool = False
    """Whether the answer may take long, and is made beside the streams."""


class Rest:
    """The REST endpoints on the present market."""

    def __init__(self, present: Present, weights: Weights, faults: Faults) -> None:
        self._present = present
        self._weights = weights
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of all endpoints."""
        endpoints = {
            "ping": Endpoint(lambda asked: {}, _fixed(1)),
            "time": Endpoint(lambda asked: {"serverTime": asked.now_us * asked.scale // 1_000}, _fixed(1)),
            "exchangeInfo": Endpoint(self._exchange_info, _fixed(20), _INFO),
            "klines": Endpoint(self._klines, _fixed(2), klines.PARAMETERS, threaded=True),
            "uiKlines": Endpoint(self._klines, _fixed(2), klines.PARAMETERS, threaded=True),
            "trades": Endpoint(trade_rows.recent, _fixed(25), trade_rows.RECENT),
            "historicalTrades": Endpoint(trade_rows.recent, _fixed(25), trade_rows.HISTORICAL),
            "aggTrades": Endpoint(trade_rows.aggregate, _fixed(4), trade_rows.AGGREGATE),
            "avgPrice": Endpoint(tickers.average, _fixed(2), tickers.AVERAGE),
            "ticker/price": Endpoint(tickers.price, _price_weight, tickers.SYMBOLS),
            "ticker/bookTicker": Endpoint(tickers.book, _price_weight, tickers.SYMBOLS),
            "ticker/24hr": Endpoint(tickers.day, _day_weight, tickers.DAY),
        }
        return [web.get(f"/api/v3/{name}", self._handler(endpoint)) for name, endpoint in endpoints.items()]

    def _handler(self, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            address = request.remote or ""
            try:
                await self._faults.befall(request)
                query = Parameters(request.query_string)
                self._weights.charge(address, endpoint.weight(query))
                query.know(endpoint.parameters)
                asked = Asked(self._present, query, self._present.clock.now_us(), _scale(request))
                if endpoint.threaded and query.get("interval") != Interval.MINUTE_1:
                    answer = await asyncio.to_thread(endpoint.answer, asked)
                else:
                    answer = endpoint.answer(asked)
            except ApiError as error:
                return _refusal(error, self._weights.headers(address))
            body = answer if isinstance(answer, bytes) else orjson.dumps(answer)
            response = web.Response(body=body, content_type=_JSON, headers=self._weights.headers(address))
            return await cut(request, response) if self._faults.strikes(self._faults.cut_share) else response

        return handle

    def _klines(self, asked: Asked) -> bytes:
        if not spoiled.wanted(self._faults):
            return klines.page(asked)
        return orjson.dumps(spoiled.page(asked, self._faults))

    def _exchange_info(self, asked: Asked) -> object:
        symbols, _ = asked.symbols()
        return {
            "timezone": "UTC",
            "serverTime": asked.now_us * asked.scale // 1_000,
            "rateLimits": [
                _limit("REQUEST_WEIGHT", "MINUTE", 1, self._weights.limit),
                _limit("ORDERS", "SECOND", 10, 100),
                _limit("ORDERS", "DAY", 1, 200_000),
                _limit("RAW_REQUESTS", "MINUTE", 5, 61_000),
            ],
            "exchangeFilters": [],
            "symbols": [asked.present.instrument(symbol).describe() for symbol in symbols],
        }


def _limit(kind: str, interval: str, count: int, limit: int) -> dict[str, str | int]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}


def _fixed(weight: int) -> Callable[[Parameters], int]:
    return lambda query: weight


def _price_weight(query: Parameters) -> int:
    return 2 if "symbol" in query else 4


def _day_weight(query: Parameters) -> int:
    """Return the weight of ``ticker/24hr``: of up to 20 symbols, up to 100, or more."""
    if "symbol" in query:
        return 2
    count = query.get("symbols").count(",") + 1 if "symbols" in query else 101
    return 2 if count <= 20 else 40 if count <= 100 else 80


def _scale(request: web.Request) -> int:
    unit = request.headers.get("X-MBX-TIME-UNIT", "MILLISECOND").upper()
    if unit not in ("MILLISECOND", "MICROSECOND"):
        raise errors.invalid_value("X-MBX-TIME-UNIT")
    return 1_000 if unit == "MICROSECOND" else 1


def _refusal(error: ApiError, headers: dict[str, str]) -> web.Response:
    if error.retry_after is not None:
        headers = headers | {"Retry-After": str(error.retry_after)}
    body = orjson.dumps({"code": error.code, "msg": error.message})
    return web.Response(body=body, status=error.status, content_type=_JSON, headers=headers)
