"""Alerts about the product itself: a task that failed, a run that is late."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pymongo.database import Database

from cryptobot.settings import settings
from cryptobot.storage.collections import ALERTS
from cryptobot.storage.database import Document, connect

Severity = Literal["info", "warning", "critical"]
_CAUSE_LIMIT = 1_000


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


def _alert(database: Database[Document], *, key: str, severity: Severity, title: str, message: str) -> None:
    database[ALERTS].update_one(
        {"_id": key},
        {
            "$setOnInsert": {
                "kind": "pipeline",
                "severity": severity,
                "symbol": None,
                "title": title,
                "message": message,
                "created_at": datetime.now(UTC),
                "acknowledged_at": None,
            }
        },
        upsert=True,
    )
