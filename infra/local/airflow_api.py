"""The few questions and orders that a local run has for Airflow's REST API."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import httpx
from tenacity import retry, retry_if_exception, stop_after_delay, wait_exponential

Run = dict[str, Any]

_TIMEOUT_SECONDS = 30.0
_PATIENCE_SECONDS = 180.0  # an API server that was killed is back well within this


def _may_pass(error: BaseException) -> bool:
    """Tell whether an error is of a server that is restarting, rather than of the request."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    return isinstance(error, httpx.TransportError)


_patiently = retry(
    retry=retry_if_exception(_may_pass),
    stop=stop_after_delay(_PATIENCE_SECONDS),
    wait=wait_exponential(0.5, max=5),
    reraise=True,
)


class AirflowApi:
    """A client that logs in by itself and outlives a restart of the server.

    Raises ``httpx.HTTPError`` from every method when the server refuses, or stays away.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS)
        self._account = {"username": user, "password": password}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def dag_ids(self) -> set[str]:
        """Return the DAGs that Airflow has read."""
        return {dag["dag_id"] for dag in self._get("/api/v2/dags", {"limit": 100})["dags"]}

    def import_errors(self) -> list[str]:
        """Return a line for each DAG file that Airflow could not read: the file, and the last line of why."""
        errors = self._get("/api/v2/importErrors", {"limit": 100})["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in errors]

    def runs(self, dag_ids: Sequence[str]) -> list[Run]:
        """Return the newest runs of ``dag_ids``, newest first."""
        body = {"dag_ids": list(dag_ids), "order_by": "-run_after", "page_limit": 100}
        return list(self._post("/api/v2/dags/~/dagRuns/list", body)["dag_runs"])

    def tasks(self, run: Run) -> list[dict[str, Any]]:
        """Return the task instances of ``run``."""
        path = f"/api/v2/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances"
        return list(self._get(path, {"limit": 100})["task_instances"])

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> Run:
        """Start a run of ``dag_id`` and return it."""
        return self._post(f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})

    def _get(self, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return self._send("GET", path, params=parameters)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._send("POST", path, json=body)

    @_patiently
    def _send(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        answer = self._client.request(method, path, **content)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._log_in()
            answer = self._client.request(method, path, **content)
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()
        return result

    def _log_in(self) -> None:
        answer = self._client.post("/auth/token", json=self._account)
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
