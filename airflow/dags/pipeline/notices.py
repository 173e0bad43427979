"""What people are told when a task of the pipeline fails for good, or data fails its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from expectations.result import QualityResult


def task_failed(context: dict[str, Any]) -> None:
    """Raise an alert that names the DAG, the task, the run and the cause."""
    from cryptobot.decisions.operational import pipeline_failure
    from pipeline.connections import product_database

    task = context["ti"]
    with product_database() as database:
        pipeline_failure(
            database,
            dag_id=task.dag_id,
            task_id=task.task_id,
            run_id=task.run_id,
            cause=str(context.get("exception") or "no exception was given"),
        )


def quality_judged(result: QualityResult, found: str, report: str) -> None:
    """Raise the alert of a suite and partition that failed, or resolve it when they pass."""
    from cryptobot.decisions.operational import quality_failed, quality_passed
    from pipeline.connections import product_database

    checked = {"suite": result.suite, "partition": _partition(result)}
    with product_database() as database:
        if result.blocking:
            quality_failed(database, **checked, found=found, report=report)
        else:
            quality_passed(database, **checked)


def _partition(result: QualityResult) -> str:
    """Return the range that was checked; what is checked as it stands now has one partition."""
    from cryptobot.storage.collections import STREAMING_DATA

    if result.start is None or result.end is None or result.collection == STREAMING_DATA:
        return "now"
    return f"{result.start:%Y-%m-%d %H:%M} to {result.end:%Y-%m-%d %H:%M}"
