"""What every DAG of the pipeline has in common: owner, retries, time-outs, notices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference

from pipeline.connections import MACROS
from pipeline.notices import task_failed

TASK_DEFAULTS: dict[str, Any] = {
    "owner": "cryptobot",
    "retries": 2,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "execution_timeout": timedelta(hours=1),
    "on_failure_callback": task_failed,
}


FIRST_TICK_WITHIN = timedelta(minutes=5)
"""A DAG that Airflow sees for the first time makes up for a tick that passed so recently, and for none
before: for ``run_immediately``, whose ``False`` means a tenth of the time between ticks."""

_USUAL = DeadlineReference.AVERAGE_RUNTIME(max_runs=10, min_runs=1)
"""From when deadlines count. Not from when a run is queued: with that, Airflow 3.3 refuses to clear
a task of a run that failed (apache/airflow issue 70368)."""


def dag_defaults(*tags: str, deadline: timedelta = timedelta(hours=2), **dag: Any) -> dict[str, Any]:
    """Return the keyword arguments that every DAG of the pipeline takes.

    A run that takes longer than its DAG's runs usually do, by more than ``deadline``, raises an alert.
    """
    return {
        "catchup": False,
        "max_active_runs": 1,
        "default_args": TASK_DEFAULTS,
        "tags": ["cryptobot", *tags],
        "user_defined_macros": MACROS,
        "deadline": DeadlineAlert(
            reference=_USUAL,
            interval=deadline,
            callback=AsyncCallback("cryptobot.decisions.operational.deadline_missed"),
        ),
        **dag,
    }
