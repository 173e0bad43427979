"""Backtests of models, in full."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth.dependencies import Reader
from api.backtests.schemas import Backtests
from api.json import JsonResponse
from api.parameters import Cursor, OptionalSymbol, Word, watched
from api.services import Shared
from cryptobot.storage.operation_pages import backtest_page

router = APIRouter(prefix="/v1", tags=["models"])


@router.get("/backtests", response_model=Backtests, summary="Results out of sample")
async def backtests(
    _: Reader,
    services: Shared,
    symbol: OptionalSymbol = None,
    version: Word = None,
    limit: Annotated[int, Query(ge=1, le=50, description="Items on a page, at most")] = 10,
    cursor: Cursor = None,
) -> JsonResponse:
    """Answer the results of models out of sample, the newest first: figures, curves, what they rest on."""
    page = await backtest_page(
        services.database,
        symbol=watched(services, symbol) if symbol else None,
        version=version,
        limit=limit,
        cursor=cursor,
    )
    items = [
        {**{name: value for name, value in item.items() if name != "_id"}, "version": item["_id"]}
        for item in page.items
    ]
    return JsonResponse({"items": items, "next_cursor": page.next_cursor})
