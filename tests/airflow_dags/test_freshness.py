"""The `freshness` DAG watches every asset, and shows in red and in `alerts` what nobody refreshed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.database import Database

from cryptobot.storage.freshness import EXPECTATIONS, SETTLING
from tests.exchange_server import running_exchange

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

NOW = datetime.now(UTC)
Db = Database[dict[str, Any]]


class Events:
    """What a task is given of one asset's events."""

    def __init__(self, *ages: timedelta) -> None:
        self.found = [SimpleNamespace(timestamp=NOW - age, extra={}) for age in ages]

    def ascending(self, ascending: bool) -> Events:
        assert ascending is False
        return self

    def limit(self, limit: int) -> Any:
        return iter(self.found[:limit])


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    with running_exchange() as url:
        yield url


@pytest.fixture
def check(dag_bag: DagBag, product: Db, exchange: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the check with the age of every asset's newest event, and the DAGs that are paused."""
    from pipeline.assets import ALL

    monkeypatch.setenv("CRYPTOBOT_REST_URL", exchange)

    def run(ages: dict[str, timedelta], paused: str = "") -> dict[str, str]:
        inlet_events = {asset: Events(ages.get(asset.name, timedelta(minutes=1))) for asset in ALL}
        ti = SimpleNamespace(get_dag=lambda dag_id: SimpleNamespace(is_paused=dag_id == paused))
        return dag_bag.dags["freshness"].get_task("check").python_callable(inlet_events=inlet_events, ti=ti)

    return run


def test_every_asset_is_watched_and_refreshed_by_the_dag_that_is_named(dag_bag: DagBag) -> None:
    from pipeline.assets import ALL

    assert {asset.name for asset in ALL} == {expectation.asset for expectation in EXPECTATIONS}
    for expectation in EXPECTATIONS:
        made = {asset.name for task in dag_bag.dags[expectation.dag].tasks for asset in task.outlets}
        assert expectation.asset in made
    watched = {asset.name for asset in dag_bag.dags["freshness"].get_task("check").inlets}
    assert watched == {asset.name for asset in ALL}


def test_what_nobody_refreshed_is_told_once_and_resolved_when_it_is_fresh(check: Any, product: Db) -> None:
    old = {"exchange_info": timedelta(hours=30)}
    assert check(old, paused="exchange_info") == {}  # the watch has only begun
    product["freshness"].update_many({}, {"$set": {"watched_since": NOW - SETTLING}})
    for _ in range(2):
        overdue = check(old, paused="exchange_info")
        assert list(overdue) == ["exchange_info"]
        assert "its DAG exchange_info is paused" in overdue["exchange_info"]
    (alert,) = product["alerts"].find()
    assert (alert["kind"], alert["details"]["asset"], alert["resolved_at"]) == (
        "stale_data",
        "exchange_info",
        None,
    )
    assert check({}) == {}
    assert product["alerts"].find_one()["resolved_at"] is not None
    states = {state["_id"]: state["state"] for state in product["freshness"].find()}
    assert states == {asset.asset: "fresh" for asset in EXPECTATIONS} | {"historical_data": "never"}


def test_the_run_is_red_while_an_asset_is_overdue(dag_bag: DagBag) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    verdict = dag_bag.dags["freshness"].get_task("all_fresh").python_callable
    verdict({})
    with pytest.raises(AirflowFailException, match="signals: made 2 h ago"):
        verdict({"signals": "made 2 h ago"})
