"""The `maintenance` DAG: what its tasks remove, told as a report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.database import Database

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

NOW = datetime.now(UTC)
Db = Database[dict[str, Any]]


@pytest.fixture
def run(dag_bag: DagBag, product: Db, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run all tasks of the DAG with a choice for "Only count"; return the summary."""
    monkeypatch.setenv("CRYPTOBOT_DOCS_DIR", str(tmp_path / "docs"))
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path / "logs"))
    dag = dag_bag.dags["maintenance"]

    def run(dry_run: bool) -> dict[str, int]:
        params = {"dry_run": dry_run}
        found = [
            dag.get_task(task_id).python_callable(params=params)
            for task_id in ("documents", "bundles", "reports", "logs")
        ]
        summary = dag.get_task("summary").python_callable
        return summary("maintenance|1", found, params=params, dag_run=SimpleNamespace(start_date=NOW))

    return run


def test_what_is_past_its_retention_goes_and_is_reported(run: Any, product: Db) -> None:
    long_ago = NOW - timedelta(days=1000)
    product["reconciliations"].insert_one({"_id": "2020-01-01", "checked_at": long_ago})
    assert run(dry_run=True)["reconciliations"] == 1
    assert product["reconciliations"].count_documents({}) == 1
    assert product["job_reports"].count_documents({}) == 0
    assert run(dry_run=False)["reconciliations"] == 1
    assert product["reconciliations"].count_documents({}) == 0
    (report,) = product["job_reports"].find({"job": "maintenance"})
    assert (report["_id"], report["rows"], report["dry_run"]) == ("maintenance|1", 1, False)
    assert report["removed"]["model bundles"] == 0


def test_it_runs_daily_and_asks_in_a_form_whether_to_count_only(dag_bag: DagBag) -> None:
    dag = dag_bag.dags["maintenance"]
    assert dag.params["dry_run"] is False
    assert dag.timetable.expression == "40 3 * * *"
    assert dag.get_task("summary").upstream_task_ids == {"documents", "bundles", "reports", "logs"}
