"""Alerts about the product itself: failed and late runs, stale or bad data, an unhealthy live feed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database

from cryptobot.alert_settings import AlertRules
from cryptobot.decisions.alerts import Alert, raise_alert, resolve
from cryptobot.market.instant import to_ms
from cryptobot.settings import settings
from cryptobot.storage.database import Document, connect

_CAUSE_LIMIT = 1_000
_PROBLEMS_LISTED = 20
PIPELINE = "pipeline"
STALE_DATA = "stale_data"
QUALITY_FAILURE = "quality_failure"
LIVE_FEED = "live_feed"
PROMOTION = "promotion"
MODEL_REFUSED = "model_refused"


def pipeline_failure(
    database: Database[Document], *, dag_id: str, task_id: str, run_id: str, cause: str
) -> bool:
    """Raise an alert that a task has failed after its last retry; once per task and run."""
    now = datetime.now(UTC)
    alert = Alert(
        kind=PIPELINE,
        key=f"pipeline|{dag_id}|{task_id}|{run_id}",
        severity="critical",
        symbol=None,
        title=f"{dag_id}.{task_id} failed",
        message=f"Run {run_id} of {dag_id} failed at {task_id}: {cause[:_CAUSE_LIMIT]}",
        at=now,
        details={"dag": dag_id, "task": task_id, "run": run_id},
    )
    return _raise(database, alert, now)


async def deadline_missed(**event: Any) -> None:
    """Raise an alert that a run is later than its DAG's deadline; called by Airflow's triggerer."""
    run = event.get("context", {}).get("dag_run", {})
    dag_id, run_id = run.get("dag_id", "unknown"), run.get("dag_run_id", run.get("run_id", "unknown"))
    now = datetime.now(UTC)
    alert = Alert(
        kind=PIPELINE,
        key=f"deadline|{dag_id}|{run_id}",
        severity="warning",
        symbol=None,
        title=f"{dag_id} is late",
        message=f"Run {run_id} of {dag_id} has not finished by its deadline; look at it in Airflow",
        at=now,
        details={"dag": dag_id, "run": run_id},
    )
    database = connect(settings())
    try:
        _raise(database, alert, now)
    finally:
        database.client.close()


def stale_data(database: Database[Document], checked: Iterable[Document]) -> list[str]:
    """Raise one alert for each asset that is overdue, and resolve those of assets that no longer are.

    ``checked`` are documents of ``freshness``. An asset that stays overdue keeps its one alert; each
    further time that it becomes overdue makes another. Returns the overdue assets.
    """
    now = datetime.now(UTC)
    overdue = {
        f"{STALE_DATA}|{asset['_id']}|{to_ms(asset['stale_since'])}": asset
        for asset in checked
        if asset["stale_since"]
    }
    resolve(database, now, kind=STALE_DATA, still=list(overdue))
    for key, asset in overdue.items():
        name = asset["_id"]
        alert = Alert(
            kind=STALE_DATA,
            key=key,
            severity="warning",
            symbol=None,
            title=f"{name} is stale" if asset["newest"] else f"{name} was never made",
            message=f"{name}: {asset['why']}. Look at the DAG {asset['dag']} in Airflow",
            at=asset["stale_since"],
            details={"asset": name, "dag": asset["dag"]},
            state=f"{STALE_DATA}|{name}",
        )
        _raise(database, alert, now)
    return [asset["_id"] for asset in overdue.values()]


def quality_failed(
    database: Database[Document], *, suite: str, partition: str, found: str, report: str
) -> bool:
    """Raise an alert that data failed a critical expectation: one a suite and partition until it passes."""
    now = datetime.now(UTC)
    state = f"{QUALITY_FAILURE}|{suite}|{partition}"
    alert = Alert(
        kind=QUALITY_FAILURE,
        key=f"{state}|{to_ms(now)}",
        severity="critical",
        symbol=None,
        title=f"The checks of {suite} failed",
        message=f"{suite}, {partition}: {found[:_CAUSE_LIMIT]}. See {report}",
        at=now,
        details={"suite": suite, "partition": partition, "report": report},
        state=state,
    )
    return _raise(database, alert, now)


def quality_passed(database: Database[Document], *, suite: str, partition: str) -> int:
    """Resolve the alert of a suite and partition that holds now; return how many there were."""
    return resolve(database, datetime.now(UTC), open_state=f"{QUALITY_FAILURE}|{suite}|{partition}")


def unhealthy(database: Database[Document], problems: Sequence[str]) -> bool:
    """Raise an alert that the live feed is not healthy; the one stays open until :func:`recovered`."""
    now = datetime.now(UTC)
    alert = Alert(
        kind=LIVE_FEED,
        key=f"{LIVE_FEED}|{to_ms(now)}",
        severity="critical",
        symbol=None,
        title="The live feed is not healthy",
        message="; ".join(problems)[:_CAUSE_LIMIT],
        at=now,
        details={"problems": [each[:_CAUSE_LIMIT] for each in problems[:_PROBLEMS_LISTED]]},
        state=LIVE_FEED,
    )
    return _raise(database, alert, now)


def recovered(database: Database[Document]) -> int:
    """Resolve the alert of :func:`unhealthy`; return how many there were."""
    return resolve(database, datetime.now(UTC), open_state=LIVE_FEED)


def model_refused(database: Database[Document], symbol: str, version: str, reason: str) -> bool:
    """Raise an alert that a bundle must not be served; once a version, whichever workers refuse it."""
    now = datetime.now(UTC)
    alert = Alert(
        kind=MODEL_REFUSED,
        key=f"{MODEL_REFUSED}|{version}",
        severity="critical",
        symbol=symbol,
        title=f"A model of {symbol} was refused",
        message=f"{version} is quarantined and not served: {reason[:_CAUSE_LIMIT]}. "
        f"A sound model before it serves in its place; where there is none, {symbol} has no predictions. "
        "See Refused models in docs/OPERATIONS.md; as a rule, run the DAG models to train another",
        at=now,
        details={"version": version},
    )
    return _raise(database, alert, now)


def approval_awaited(database: Database[Document], symbol: str, version: str, until: datetime) -> bool:
    """Raise an alert that a person is asked to approve a model; open until :func:`approval_answered`.

    It takes the place of one of another version of ``symbol``.
    """
    now, state = datetime.now(UTC), f"{PROMOTION}|{version}"
    resolve(database, now, kind=PROMOTION, symbol=symbol, open_state={"$ne": state})
    alert = Alert(
        kind=PROMOTION,
        key=f"{state}|{to_ms(now)}",
        severity="info",
        symbol=symbol,
        title=f"A model of {symbol} waits for approval",
        message=f"{version} passed the gate. Approve or reject it in Airflow under Required Actions; "
        f"what nobody approves until {until:%Y-%m-%d %H:%M} UTC is not promoted",
        at=now,
        details={"version": version},
        state=state,
    )
    return _raise(database, alert, now)


def approval_answered(database: Database[Document], version: str) -> int:
    """Resolve the alert of :func:`approval_awaited`; return how many there were."""
    return resolve(database, datetime.now(UTC), open_state=f"{PROMOTION}|{version}")


def _raise(database: Database[Document], alert: Alert, now: datetime) -> bool:
    """Raise the alert unless its rule is switched off (``CRYPTOBOT_ALERT_RULES``)."""
    rules: AlertRules = settings().alert_rules
    return getattr(rules, alert.kind).enabled and raise_alert(database, alert, now)
