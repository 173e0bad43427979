"""The drift of a model, by day."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.auth.dependencies import Reader
from api.drift.schemas import Drift
from api.json import JsonResponse
from api.parameters import SymbolName, Word, watched
from api.problems import NotFound
from api.services import Shared
from cryptobot.storage.drift import of_version
from cryptobot.storage.operation_pages import champion_manifest

router = APIRouter(prefix="/v1", tags=["models"])

_HIDDEN = frozenset({"_id", "symbol", "version", "interval", "from", "to"})


@router.get("/drift", response_model=Drift, summary="How far the market has left a model's training")
async def drift(
    _: Reader,
    services: Shared,
    symbol: SymbolName,
    version: Word = None,
    limit: Annotated[int, Query(ge=1, le=366, description="Days, at most")] = 30,
) -> JsonResponse:
    """Answer the last days of a symbol's champion, or of another version of it, in rising order."""
    watched(services, symbol)
    if version is None:
        found = await champion_manifest(services.database, symbol)
        if found is None:
            raise NotFound(f"{symbol} has no champion yet; the main job trains and promotes one")
        version = str(found[0]["version"])
    days = [day for day in await of_version(services.database, version, limit) if day["symbol"] == symbol]
    return JsonResponse({"symbol": symbol, "version": version, "items": [_day(day) for day in days]})


def _day(stored: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in stored.items() if name not in _HIDDEN}
    return {**shown, "start": stored["from"], "end": stored["to"]}
