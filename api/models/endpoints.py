"""Models, champions and predictions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from api.auth.dependencies import ModelsAdmin, Reader
from api.json import JsonResponse, JsonRoute
from api.models.schemas import (
    Champion,
    Models,
    Pointer,
    Prediction,
    PredictionRequest,
    Promotion,
    RollBack,
    RowPredictions,
)
from api.parameters import Cursor, Limit, OptionalSymbol, SymbolName, watched
from api.problems import Conflict, NotFound
from api.services import Services, Shared
from cryptobot.serving.orders import promote_by_hand, roll_back_by_hand
from cryptobot.serving.registry import RegistryError, UnknownModelError
from cryptobot.storage.database import Document, connect
from cryptobot.storage.operation_pages import champion_manifest, model_page

router = APIRouter(prefix="/v1", tags=["models"], route_class=JsonRoute)

State = Literal["challenger", "champion", "superseded", "quarantined"]


@router.get("/models", response_model=Models, summary="Trained models")
async def models(
    _: Reader,
    services: Shared,
    symbol: OptionalSymbol = None,
    state: Annotated[State | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> JsonResponse:
    """Answer the manifests of trained models, the newest first."""
    page = await model_page(
        services.database,
        symbol=watched(services, symbol) if symbol else None,
        state=state,
        limit=limit,
        cursor=cursor,
    )
    items = [_manifest(item) for item in page.items]
    return JsonResponse({"items": items, "next_cursor": page.next_cursor})


@router.get("/models/champion", response_model=Champion, summary="The model that serves")
async def champion(_: Reader, services: Shared, symbol: SymbolName) -> JsonResponse:
    """Answer which version serves a symbol, why, and how good it is out of sample."""
    found = await champion_manifest(services.database, watched(services, symbol))
    if found is None:
        raise NotFound(f"{symbol} has no champion yet; the main job trains and promotes one")
    pointer, manifest = found
    answer = {
        "symbol": symbol,
        **{name: pointer[name] for name in ("version", "previous", "promoted_at", "reason", "fit")},
        **{name: manifest[name] for name in ("interval", "algorithm", "metrics", "window")},
        **{name: manifest.get(name) for name in ("comparison", "history")},
        "feature_set": manifest["feature_set"]["version"],
    }
    return JsonResponse(answer)


@router.post("/models/promote", response_model=Pointer, summary="Promote a version by hand")
async def promote(body: Promotion, who: ModelsAdmin, services: Shared) -> JsonResponse:
    """Make a version its symbol's champion; every worker serves it within a second or so."""
    return await _ordered(services, promote_by_hand, body.version, who.name, body.reason)


@router.post("/models/roll-back", response_model=Pointer, summary="Return to the model before")
async def roll_back(body: RollBack, who: ModelsAdmin, services: Shared) -> JsonResponse:
    """Return a symbol to the last sound model that served before its champion.

    With `version`, only if that is the champion still.
    """
    symbol = watched(services, body.symbol)
    return await _ordered(services, roll_back_by_hand, symbol, who.name, body.reason, body.version)


@router.post("/predictions", response_model=Prediction | RowPredictions, summary="Score a candle")
async def predictions(body: PredictionRequest, _: Reader, services: Shared) -> JsonResponse:
    """Score the last closed candle of a symbol, or the rows of features that are sent."""
    symbol = watched(services, body.symbol)
    if body.rows is None:
        return JsonResponse(await services.predictions.of_last_candle(symbol, body.profile))
    return JsonResponse(await services.predictions.of_rows(symbol, body.rows, body.profile))


async def _ordered(services: Services, order: Callable[..., Document], *given: str | None) -> JsonResponse:
    """Have an order carried out, and answer the new pointer; 409 where the registry refuses."""

    def carry_out() -> Document:
        database = connect(services.settings)
        try:
            return order(database, *given)
        finally:
            database.client.close()

    try:
        pointer = await asyncio.to_thread(carry_out)
    except UnknownModelError as error:
        raise NotFound(str(error)) from error
    except RegistryError as error:
        raise Conflict(str(error)) from error
    return JsonResponse({"symbol" if name == "_id" else name: value for name, value in pointer.items()})


def _manifest(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest as answered: without what only the bundle's reader needs."""
    hidden = {"_id", "bundle_file", "golden_rows", "members", "calibration", "feature_set", "reference"}
    shown = {name: value for name, value in entry.items() if name not in hidden}
    return {**shown, "feature_set": entry["feature_set"]["version"]}
