"""The main job, from the exchange to a served signal: started in Airflow and followed to its end.

Airflow drives the chain by assets; this only triggers the first run where none is under way, and
watches. Stopped at any moment and called again, it goes on from what it finds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pymongo.database import Database
from pymongo.errors import PyMongoError

from cryptobot.serving import registry
from cryptobot.settings import Settings
from cryptobot.storage.health import live_instances
from infra.local.airflow_api import AirflowApi, Run
from infra.local.errors import LocalRunError
from infra.local.progress import Progress

BACKFILL = "historical_backfill"
CHAIN = (
    BACKFILL,
    "validated_historical_data",
    "features",
    "models",
    "champions",
    "deployment",
    "signals",
)
"""The DAGs of the main job, each triggered by the asset that the one before it makes."""

_UNDER_WAY = {"queued", "running"}
_PAUSE_SECONDS = 1.0
_PARSED_WITHIN_SECONDS = 120.0
_FOLLOWED_WITHIN_SECONDS = 60.0
"""Time that Airflow may take from an asset's event to the run that it triggers."""


@dataclass
class MainJob:
    """The main job of one installation."""

    airflow: AirflowApi
    database: Database[dict[str, Any]]
    settings: Settings
    task_logs: Path
    progress: Progress

    def see_through(self) -> dict[str, str]:
        """Return the version that serves each symbol, once every worker serves it and signals are made.

        Raises
        ------
        LocalRunError
            When a task failed for good, or the chain stopped short of its end.
        """
        self._await_dags()
        runs = self.airflow.runs(CHAIN)
        if (served := self._served()) and _finished(runs, "signals"):
            self.progress.say("a champion is served for each symbol already")
            return served
        watch = _Watch(self.progress, began=_since(runs) or self._trigger())
        while True:
            runs = [run for run in self.airflow.runs(CHAIN) if _moment(run) >= watch.began]
            self._raise_failure(runs)
            watch.show(runs, self._tasks_under_way(runs))
            if _finished(runs, "signals") and (served := self._served()):
                return served
            if watch.idle_seconds > _FOLLOWED_WITHIN_SECONDS:
                raise LocalRunError(self._stopped_short(runs))
            time.sleep(_PAUSE_SECONDS)

    def _await_dags(self) -> None:
        deadline = time.monotonic() + _PARSED_WITHIN_SECONDS
        while missing := set(CHAIN) - self.airflow.dag_ids():
            broken = self.airflow.import_errors()
            if broken:
                raise LocalRunError(f"Airflow cannot read {broken[0]}")
            if time.monotonic() > deadline:
                raise LocalRunError(
                    f"Airflow has not read the DAGs {', '.join(sorted(missing))} within "
                    f"{_PARSED_WITHIN_SECONDS:g} s; see `make logs SERVICE=airflow-dag-processor`"
                )
            time.sleep(_PAUSE_SECONDS)

    def _trigger(self) -> datetime:
        run = self.airflow.trigger(
            BACKFILL,
            {
                "symbols": list(self.settings.symbols),
                "intervals": list(self.settings.intervals),
                "from": None,
                "to": None,
                "source": "rest",
                "overwrite": False,
            },
        )
        self.progress.say(f"{BACKFILL} is triggered: {', '.join(self.settings.symbols)}")
        return _moment(run)

    def _served(self) -> dict[str, str] | None:
        """Return each symbol's champion when every worker of the API serves all of them."""
        try:
            pointers = {symbol: registry.champion(self.database, symbol) for symbol in self.settings.symbols}
            workers = live_instances(self.database, "api")
        except PyMongoError:  # mongod is restarting; the next look will tell
            return None
        champions = {symbol: str(pointer["version"]) for symbol, pointer in pointers.items() if pointer}
        everywhere = len(workers) >= self.settings.api_workers and all(
            worker["detail"].get("models", {}).get(symbol) == version
            for worker in workers
            for symbol, version in champions.items()
        )
        return champions if everywhere and len(champions) == len(pointers) else None

    def _tasks_under_way(self, runs: Sequence[Run]) -> list[str]:
        return [
            f"{run['dag_id']}.{task['task_id']}"
            for run in runs
            if run["state"] == "running"
            for task in self.airflow.tasks(run)
            if task["state"] in {"running", "deferred", "up_for_retry"}
        ]

    def _raise_failure(self, runs: Sequence[Run]) -> None:
        for run in runs:
            if run["state"] != "failed":
                continue
            failed = [task for task in self.airflow.tasks(run) if task["state"] == "failed"]
            task = failed[0] if failed else {"task_id": "(no task of it)", "try_number": 0}
            log = (
                self.task_logs
                / f"dag_id={run['dag_id']}"
                / f"run_id={run['dag_run_id']}"
                / f"task_id={task['task_id']}"
                / f"attempt={task['try_number']}.log"
            )
            raise LocalRunError(
                f"the DAG {run['dag_id']} failed in its task {task['task_id']}; its log is {log}; "
                "the services still run: mend the cause and call `make run` again"
            )

    def _stopped_short(self, runs: Sequence[Run]) -> str:
        last = max(runs, key=_moment, default=None)
        told = f"after {last['dag_id']} ({last['state']})" if last else "before it began"
        return (
            f"the main job stopped {told}: within {_FOLLOWED_WITHIN_SECONDS:g} s nothing followed; "
            f"look at {self.settings.airflow_url} and call `make run` again"
        )


class _Watch:
    """What has been told of a chain of runs, and since when nothing has been under way."""

    def __init__(self, progress: Progress, began: datetime) -> None:
        self.began = began
        self._progress = progress
        self._told: dict[str, str] = {}
        self._busy_at = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """Seconds since a run was last seen under way."""
        return time.monotonic() - self._busy_at

    def show(self, runs: Sequence[Run], tasks: Sequence[str]) -> None:
        """Tell what changed since the last look."""
        if any(run["state"] in _UNDER_WAY for run in runs):
            self._busy_at = time.monotonic()
        for run in sorted(runs, key=_moment):
            if run["state"] not in _UNDER_WAY and self._told.get(run["dag_run_id"] + run["dag_id"]) is None:
                self._told[run["dag_run_id"] + run["dag_id"]] = run["state"]
                took = f" after {run['duration']:.1f} s" if run["duration"] else ""
                self._progress.say(f"{run['dag_id']}: {run['state']}{took}")
        self._progress.now(", ".join(tasks))


def _moment(run: Run) -> datetime:
    return datetime.fromisoformat(run["run_after"])


def _finished(runs: Sequence[Run], dag_id: str) -> bool:
    return any(run["dag_id"] == dag_id and run["state"] == "success" for run in runs)


def _since(runs: Sequence[Run]) -> datetime | None:
    """Return when the chain that is under way began; None when there is none.

    A chain begins with a backfill. It is under way while one of its runs is, or when one has just
    ended, because Airflow takes a moment to start the next.
    """
    backfill = next((run for run in runs if run["dag_id"] == BACKFILL), None)
    if backfill is None or backfill["state"] == "failed":
        return None
    chain = [run for run in runs if _moment(run) >= _moment(backfill)]
    return _moment(backfill) if any(_under_way_or_just_ended(run) for run in chain) else None


def _under_way_or_just_ended(run: Run) -> bool:
    if run["state"] in _UNDER_WAY:
        return True
    ended = datetime.fromisoformat(run["end_date"])
    just = datetime.now(UTC) - ended < timedelta(seconds=_FOLLOWED_WITHIN_SECONDS / 2)
    return just and run["state"] == "success" and run["dag_id"] != CHAIN[-1]
