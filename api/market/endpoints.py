"""Symbols, candles and tickers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth.dependencies import Reader
from api.json import JsonResponse
from api.market.schemas import Candles, Symbols, Tickers
from api.parameters import Cursor, Instant, Limit, OptionalSymbol, SymbolName, watched
from api.problems import Unprocessable
from api.services import Shared
from cryptobot.market import Interval
from cryptobot.storage.candle_pages import candle_page
from cryptobot.storage.market_pages import known_symbols, latest_tickers

router = APIRouter(prefix="/v1", tags=["market"])


@router.get("/symbols", response_model=Symbols, summary="Pairs that are watched")
async def symbols(_: Reader, services: Shared) -> JsonResponse:
    """Answer the pairs of the configuration with what the exchange says of them."""
    settings = services.settings
    known = await known_symbols(services.database, settings.symbols)
    items = [
        {
            "symbol": symbol,
            "intervals": settings.intervals,
            "signal_interval": settings.signal_interval,
            **{name: known.get(symbol, {}).get(name) for name in ("base_asset", "quote_asset", "status")},
        }
        for symbol in settings.symbols
    ]
    return JsonResponse({"items": items, "next_cursor": None})


@router.get("/candles", response_model=Candles, summary="Closed candles")
async def candles(
    _: Reader,
    services: Shared,
    symbol: SymbolName,
    interval: Annotated[Interval, Query(examples=["15m"])],
    start: Instant = None,
    end: Instant = None,
    limit: Limit = 500,
    cursor: Cursor = None,
) -> JsonResponse:
    """Answer closed candles with open times in [start, end), in rising order.

    With `start`, pages go from there to newer candles. Without it the first page holds the newest
    candles, and `next_cursor` leads to older ones.
    """
    if start is not None and end is not None and end <= start:
        raise Unprocessable("end is not after start; swap them")
    page = await candle_page(
        services.database,
        watched(services, symbol),
        interval.value,
        start=start,
        end=end,
        limit=limit,
        cursor=cursor,
    )
    return JsonResponse(page._asdict())


@router.get("/ticker", response_model=Tickers, summary="Last prices")
async def ticker(_: Reader, services: Shared, symbol: OptionalSymbol = None) -> JsonResponse:
    """Answer the last price and rolling 24 hours of one pair or of all that have one."""
    wanted = [watched(services, symbol)] if symbol else services.settings.symbols
    items = [
        {
            "symbol": found["symbol"],
            "price": found["close"],
            "change_24h_pct": (found["close"] / found["open"] - 1) * 100 if found["open"] else None,
            **{name: found[name] for name in ("high", "low", "volume", "quote_volume")},
            "event_time": found["event_time"],
            "received_at": found["received_at"],
        }
        for found in await latest_tickers(services.database, wanted)
    ]
    return JsonResponse({"items": items, "next_cursor": None})
