"""Reads for operators: services, job reports, quality results; and lists of models, signals, alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pymongo import DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from cryptobot.storage.collections import (
    ALERTS,
    BACKTESTS,
    CHAMPIONS,
    JOB_REPORTS,
    MODELS,
    QUALITY_RESULTS,
    SERVICE_HEALTH,
    SIGNALS,
)
from cryptobot.storage.database import Document
from cryptobot.storage.pages import Page, newest_first

Db = AsyncDatabase[Document]


async def signal_page(
    database: Db,
    *,
    symbol: str | None,
    signal: str | None,
    model_version: str | None,
    start: datetime | None,
    end: datetime | None,
    limit: int,
    cursor: str | None,
) -> Page:
    """Return signals, the newest candle first."""
    wanted = _given(symbol=symbol, signal=signal, model_version=model_version)
    if opened := _given(**{"$gte": start, "$lt": end}):
        wanted["open_time"] = opened
    return await newest_first(database[SIGNALS], wanted, by="open_time", limit=limit, cursor=cursor)


async def alert_page(
    database: Db,
    *,
    symbol: str | None,
    kind: str | None,
    severity: str | None,
    limit: int,
    cursor: str | None,
) -> Page:
    """Return alerts, the newest first."""
    wanted = _given(symbol=symbol, kind=kind, severity=severity)
    return await newest_first(database[ALERTS], wanted, by="created_at", limit=limit, cursor=cursor)


async def model_page(
    database: Db, *, symbol: str | None, state: str | None, limit: int, cursor: str | None
) -> Page:
    """Return manifests, the newest first."""
    wanted = _given(symbol=symbol, state=state)
    return await newest_first(database[MODELS], wanted, by="created_at", limit=limit, cursor=cursor)


async def backtest_page(
    database: Db, *, symbol: str | None, version: str | None, limit: int, cursor: str | None
) -> Page:
    """Return backtests, the newest first."""
    wanted = _given(symbol=symbol, _id=version)
    return await newest_first(database[BACKTESTS], wanted, by="created_at", limit=limit, cursor=cursor)


async def champion_manifest(database: Db, symbol: str) -> tuple[Document, Document] | None:
    """Return the symbol's pointer and the manifest that it points to."""
    pointer = await database[CHAMPIONS].find_one({"_id": symbol})
    manifest = await database[MODELS].find_one({"_id": pointer["version"]}) if pointer else None
    return (pointer, manifest) if pointer and manifest else None


async def latest_quality(database: Db) -> list[Document]:
    """Return the latest result of each checkpoint, in order of name."""
    return await _latest_by(database, QUALITY_RESULTS, "checkpoint")


async def latest_jobs(database: Db) -> list[Document]:
    """Return the latest report of each job, in order of name."""
    return await _latest_by(database, JOB_REPORTS, "job")


async def services(database: Db) -> list[Document]:
    """Return what each instance of each service last said of itself."""
    return await database[SERVICE_HEALTH].find().sort("_id").to_list()


async def _latest_by(database: Db, name: str, key: str) -> list[Document]:
    names = sorted(found for found in await database[name].distinct(key) if found is not None)
    latest = [
        await database[name].find_one({key: each}, sort=[("finished_at", DESCENDING)]) for each in names
    ]
    return [document for document in latest if document is not None]


def _given(**wanted: Any) -> Document:
    return {name: value for name, value in wanted.items() if value is not None}
