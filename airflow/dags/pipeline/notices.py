"""What people are told when a task of the pipeline fails for good."""

from __future__ import annotations

from typing import Any


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
