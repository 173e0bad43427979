"""The `drift` DAG measures champions, and asks for a training where one has drifted or aged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.database import Database

from tests.serving.drifting import store_features, train

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

Db = Database[dict[str, Any]]


class Announced:
    """What a task announces of an asset."""

    def __init__(self) -> None:
        self.extra: Any = None
        self.partitions: list[str] = []

    def add_partitions(self, key: str) -> None:
        self.partitions.append(key)


@pytest.fixture
def run(dag_bag: DagBag, product: Db) -> Any:
    """Run a task of the DAG; what it announced is in ``run.made``, by asset."""
    made: dict[Any, Announced] = {}

    class Outlets:
        def __getitem__(self, asset: Any) -> Announced:
            return made.setdefault(asset.name, Announced())

    def call(task_id: str, *arguments: Any) -> Any:
        task = dag_bag.dags["drift"].get_task(task_id)
        return task.python_callable(*arguments, outlet_events=Outlets())

    return SimpleNamespace(task=call, made=made)


def test_a_champion_that_has_drifted_is_stored_told_and_asks_for_a_training(run: Any, product: Db) -> None:
    version = train(product)
    store_features(product, shift=1.5)
    found = run.task("measure")
    assert found["BTCUSDT"]["drifted"]
    assert product.drift.count_documents({"version": version, "drifted": True}) > 0
    assert product.alerts.find_one({"kind": "model_drift", "resolved_at": None})["symbol"] == "BTCUSDT"
    announced = run.made["drift"]
    assert announced.partitions == ["2026-01-25"]
    assert announced.extra == {
        "measured": found,
        "unmeasured": {"ETHUSDT": "ETHUSDT has no champion yet"},
    }
    asked = run.task("drifted", found, "drift|run-1")
    assert asked[0].startswith(f"{version} has drifted: 100% of the features")
    announced = run.made["drift_detected"]
    assert announced.partitions == ["drift|run-1"]
    assert announced.extra == {"report": "drift|run-1", "because": asked}


def test_nothing_is_asked_for_while_the_market_stays(run: Any, product: Db) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    train(product)
    store_features(product)
    found = run.task("measure")
    assert product.alerts.count_documents({}) == 0
    with pytest.raises(AirflowSkipException, match="No champion has drifted"):
        run.task("drifted", found, "drift|run-1")
    with pytest.raises(AirflowSkipException, match="half of its time"):
        run.task("aged", "drift|run-1")
    assert "drift_detected" not in run.made


def test_an_old_champion_asks_for_a_training(run: Any, product: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    version = train(product)
    store_features(product)
    monkeypatch.setenv("CRYPTOBOT_MODEL_MAX_AGE_DAYS", "8")
    (asked,) = run.task("aged", "drift|run-1")
    assert asked.startswith(f"{version} was trained on candles until 2026-01-21")
    assert run.made["models_aged"].extra["because"] == [asked]


def test_without_a_champion_nothing_is_measured(run: Any, product: Db) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="BTCUSDT has no champion yet; ETHUSDT has no champion"):
        run.task("measure")
