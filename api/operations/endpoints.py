"""Alive, ready, metrics; pipeline and quality."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pymongo.errors import PyMongoError

from api import metrics
from api.auth.dependencies import Reader
from api.json import JsonResponse, public
from api.operations.schemas import Liveness, Pipeline, Quality, Readiness
from api.services import Services, Shared
from cryptobot.storage.operation_pages import latest_jobs, latest_quality
from cryptobot.storage.operation_pages import services as service_reports

router = APIRouter(tags=["operations"])

_PING_SECONDS = 2.0


@router.get("/livez", response_model=Liveness, summary="Does the process answer?")
async def livez() -> JsonResponse:
    """Answer at once, whatever else is missing."""
    return JsonResponse({"status": "alive"})


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Not ready: `missing` says why"}},
    summary="Can it answer everything?",
)
async def readyz(services: Shared) -> JsonResponse:
    """Answer 200 when the database is there and a model of every symbol is served, else 503."""
    missing = await _missing(services)
    body = {
        "status": "not ready" if missing else "ready",
        "missing": missing,
        "models": services.store.versions(),
    }
    return JsonResponse(body, status_code=503 if missing else 200)


@router.get("/metrics", response_class=Response, summary="Prometheus metrics")
async def prometheus() -> Response:
    """Answer the metrics of all workers on this machine."""
    return Response(await asyncio.to_thread(metrics.exposition), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/pipeline", response_model=Pipeline, summary="Services and jobs")
async def pipeline(_: Reader, services: Shared) -> JsonResponse:
    """Answer how each service is and what each job did last."""
    reports, jobs = await asyncio.gather(service_reports(services.database), latest_jobs(services.database))
    return JsonResponse(
        {
            "airflow_url": services.settings.airflow_url,
            "quality_url": f"{services.settings.public_api_url}/quality/",
            "services": [public(report) for report in reports],
            "assets": [public(job) for job in jobs],
        }
    )


@router.get("/v1/quality", response_model=Quality, summary="Latest quality results")
async def quality(_: Reader, services: Shared) -> JsonResponse:
    """Answer the latest result of each checkpoint; the whole reports are at `/quality/`."""
    items = [public(result) for result in await latest_quality(services.database)]
    return JsonResponse({"items": items, "next_cursor": None})


async def _missing(services: Services) -> list[str]:
    missing = []
    try:
        await asyncio.wait_for(services.database.command("ping"), _PING_SECONDS)
    except (PyMongoError, TimeoutError):
        missing.append("the database: it does not answer")
    else:
        if not services.prepared:
            missing.append("the collections and the administrator: they are being set up")
    missing += [
        f"a model of {symbol}: none is served yet"
        for symbol in services.settings.symbols
        if services.store.champion(symbol) is None
    ]
    return missing
