"""Alerts about the product itself: a task that failed, a run that is late, data that is stale."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from pymongo.database import Database

from cryptobot.market.instant import to_ms
from cryptobot.settings import settings
from cryptobot.storage.collections import ALERTS
from cryptobot.storage.database import Document, connect

Severity = Literal["info", "warning", "critical"]
_CAUSE_LIMIT = 1_000
STALE_DATA = "stale_data"


def pipeline_failure(
    database: Database[Document], *, dag_id: str, task_id: str, run_id: str, cause: str
) -> None:
    """Record that a task has failed after its last retry; once per task and run."""
    _alert(
        database,
        key=f"pipeline|{dag_id}|{task_id}|{run_id}",
        severity="critical",
        title=f"{dag_id}.{task_id} failed",
        message=f"Run {run_id} of {dag_id} failed at {task_id}: {cause[:_CAUSE_LIMIT]}",
    )


async def deadline_missed(**event: Any) -> None:
    """Record that a run is later than its DAG's deadline; called by Airflow's triggerer."""
    run = event.get("context", {}).get("dag_run", {})
    dag_id, run_id = run.get("dag_id", "unknown"), run.get("dag_run_id", run.get("run_id", "unknown"))
    database = connect(settings())
    try:
        _alert(
            database,
            key=f"deadline|{dag_id}|{run_id}",
            severity="warning",
            title=f"{dag_id} is late",
            message=f"Run {run_id} of {dag_id} has not finished by its deadline; look at it in Airflow",
        )
    finally:
        database.client.close()


def stale_data(database: Database[Document], checked: Iterable[Document]) -> list[str]:
    """Raise one alert for each asset that is overdue, and resolve those of assets that no longer are.

    ``checked`` are documents of ``freshness``. An asset that stays overdue keeps its one alert; each
    further time that it becomes overdue makes another. Returns the overdue assets.
    """
    overdue = [asset for asset in checked if asset["stale_since"]]
    keys = [f"{STALE_DATA}|{asset['_id']}|{to_ms(asset['stale_since'])}" for asset in overdue]
    for key, asset in zip(keys, overdue, strict=True):
        _alert(
            database,
            key=key,
            kind=STALE_DATA,
            severity="warning",
            title=f"{asset['_id']} is stale" if asset["newest"] else f"{asset['_id']} was never made",
            message=f"{asset['_id']}: {asset['why']}. Look at the DAG {asset['dag']} in Airflow",
            asset=asset["_id"],
            resolved_at=None,
        )
    database[ALERTS].update_many(
        {"kind": STALE_DATA, "resolved_at": None, "_id": {"$nin": keys}},
        {"$set": {"resolved_at": datetime.now(UTC)}},
    )
    return [asset["_id"] for asset in overdue]


def _alert(
    database: Database[Document],
    *,
    key: str,
    severity: Severity,
    title: str,
    message: str,
    kind: str = "pipeline",
    **more: Any,
) -> None:
    database[ALERTS].update_one(
        {"_id": key},
        {
            "$setOnInsert": {
                "kind": kind,
                "severity": severity,
                "symbol": None,
                "title": title,
                "message": message,
                "created_at": datetime.now(UTC),
                "acknowledged_at": None,
                **more,
            }
        },
        upsert=True,
    )
