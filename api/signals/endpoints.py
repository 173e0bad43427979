"""Signals and alerts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth.dependencies import Reader
from api.json import JsonResponse, page_body
from api.parameters import Cursor, Instant, Limit, OptionalSymbol, Word, watched
from api.services import Shared
from api.signals.schemas import Alerts, Signals
from cryptobot.decisions.decision import SignalName
from cryptobot.storage.operation_pages import alert_page, signal_page

router = APIRouter(prefix="/v1", tags=["signals"])


@router.get("/signals", response_model=Signals, summary="Signals of closed candles")
async def signals(
    _: Reader,
    services: Shared,
    symbol: OptionalSymbol = None,
    signal: Annotated[SignalName | None, Query()] = None,
    model_version: Word = None,
    start: Instant = None,
    end: Instant = None,
    limit: Limit = 500,
    cursor: Cursor = None,
) -> JsonResponse:
    """Answer signals of candles that open in [start, end), the newest first."""
    page = await signal_page(
        services.database,
        symbol=watched(services, symbol) if symbol else None,
        signal=signal,
        model_version=model_version,
        start=start,
        end=end,
        limit=limit,
        cursor=cursor,
    )
    return JsonResponse(page_body(page))


@router.get("/alerts", response_model=Alerts, summary="Alerts")
async def alerts(
    _: Reader,
    services: Shared,
    symbol: OptionalSymbol = None,
    kind: Word = None,
    severity: Word = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> JsonResponse:
    """Answer alerts, the newest first."""
    page = await alert_page(
        services.database,
        symbol=watched(services, symbol) if symbol else None,
        kind=kind,
        severity=severity,
        limit=limit,
        cursor=cursor,
    )
    return JsonResponse(page_body(page))
