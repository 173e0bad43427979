"""Airflow as its operators use it: forms in the browser, and the orders that the local run does not need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from playwright.sync_api import Page

from infra.local.airflow_api import AirflowApi, Run
from tests.e2e.product import Product
from tests.servers import wait_until

UNDER_WAY = {"queued", "running"}
POOL = "default_pool"


class Operator(AirflowApi):
    """An operator of one product's Airflow."""

    @classmethod
    def of(cls, product: Product) -> Operator:
        """Return an operator with the administrator's account."""
        return cls(product.airflow, *product.log_in())

    def runs_of(self, dag_id: str) -> list[Run]:
        """Return the runs of one DAG, newest first."""
        return self.runs([dag_id])

    def states(self, run: Run) -> dict[str, str | None]:
        """Return the state of each task of ``run``."""
        return {task["task_id"]: task["state"] for task in self.tasks(run)}

    def ended(self, run: Run, limit: float) -> Run:
        """Return ``run`` once it is no longer under way."""

        def now() -> Run | None:
            found = next(one for one in self.runs_of(run["dag_id"]) if one["dag_run_id"] == run["dag_run_id"])
            return None if found["state"] in UNDER_WAY else found

        found = wait_until(now, limit=limit, what=f"the end of {run['dag_run_id']}", pause=0.5)
        assert found is not None
        return found

    def new(self, dag_id: str, known: Sequence[Run], limit: float) -> Run:
        """Return the run of ``dag_id`` that is not among the ``known`` ones, as soon as there is one."""
        seen = {run["dag_run_id"] for run in known}
        find: Callable[[], Run | None] = lambda: next(  # noqa: E731
            (run for run in self.runs_of(dag_id) if run["dag_run_id"] not in seen), None
        )
        found = wait_until(find, limit=limit, what=f"a run of {dag_id}", pause=0.2)
        assert found is not None
        return found

    def pause(self, dag_id: str) -> None:
        """Have ``dag_id`` start no run, and miss what happens meanwhile."""
        self._send("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": True})

    def allow(self, tasks: int) -> None:
        """Let so many tasks run at a time: 0 holds all that have not begun."""
        body = {"pool": POOL, "slots": tasks, "include_deferred": False}
        self._send(
            "PATCH", f"/api/v2/pools/{POOL}", json=body, params={"update_mask": ["slots", "include_deferred"]}
        )

    def clear(self, run: Run, task_id: str) -> None:
        """Have one task of ``run`` done again, and what follows from it."""
        body = {
            "dry_run": False,
            "dag_run_id": run["dag_run_id"],
            "task_ids": [task_id],
            "only_failed": True,
            "reset_dag_runs": True,
        }
        self._post(f"/api/v2/dags/{run['dag_id']}/clearTaskInstances", body)

    def backfill(self, dag_id: str, first: str, last: str) -> None:
        """Order Airflow's own backfill: a run for each partition from ``first`` to ``last``."""
        body = {"dag_id": dag_id, "from_date": first, "to_date": last, "max_active_runs": 1}
        self._post("/api/v2/backfills", body)

    def events(self, asset: str) -> list[dict[str, Any]]:
        """Return the newest events of the asset of that name, newest first."""
        found = self._get("/api/v2/assets", {"name_pattern": asset, "limit": 100})["assets"]
        (number,) = [one["id"] for one in found if one["name"] == asset]
        parameters = {"asset_id": number, "limit": 1000, "order_by": "-timestamp"}
        return list(self._get("/api/v2/assets/events", parameters)["asset_events"])


def open_form(page: Page, product: Product, dag_id: str) -> None:
    """Log in to Airflow's pages and open the form that triggers ``dag_id``."""
    user, password = product.log_in()
    page.goto(f"{product.airflow}/dags/{dag_id}")
    page.locator("input[name=username]").fill(user)
    page.locator("input[type=password]").fill(password)
    page.locator("[type=submit]").first.click()
    page.wait_for_url(f"**/dags/{dag_id}**")
    page.get_by_role("button", name="Trigger Dag").click(timeout=60_000)


def submit_form(page: Page) -> None:
    """Send the open form."""
    page.get_by_role("dialog").get_by_role("button", name="Trigger").last.click()
