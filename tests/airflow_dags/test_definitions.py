"""Every DAG loads, is documented and guarded, and the assets form the pipeline of the design."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum
import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

PIPELINE = {
    "exchange_info": ["exchange_info", "quality_report"],
    "historical_data": ["exchange_info", "historical_data"],
    "historical_backfill": ["exchange_info", "historical_data"],
    "validated_historical_data": ["quality_report", "validated_historical_data"],
    "features": ["features", "quality_report"],
    "models": ["backtests", "models"],
    "champions": ["champions"],
    "roll_back": ["champions"],
    "deployment": ["deployment"],
    "signals": ["signals"],
    "drift": ["drift", "drift_detected", "models_aged"],
    "streaming_data": ["quality_report", "streaming_data", "validated_streaming_data"],
    "live_gaps": ["live_gaps"],
    "reconciliation": ["historical_data", "reconciliation"],
    "maintenance": [],
    "freshness": [],
}
"""Each DAG and the assets that it makes."""

TRIGGERS = {
    "validated_historical_data": ["historical_data"],
    "features": ["validated_historical_data"],
    "models": ["drift_detected", "features", "models_aged"],
    "champions": ["models"],
    "deployment": ["champions"],
    "signals": ["deployment"],
    "drift": ["features", "signals"],
}
"""Each DAG and the assets of which any that is made starts it."""


def test_every_dag_loads(dag_bag: DagBag) -> None:
    assert dag_bag.import_errors == {}
    assert set(dag_bag.dags) == set(PIPELINE)


@pytest.mark.parametrize("dag_id", PIPELINE)
def test_each_dag_makes_its_assets(dag_bag: DagBag, dag_id: str) -> None:
    made = {asset.name for task in dag_bag.dags[dag_id].tasks for asset in task.outlets}
    assert sorted(made) == PIPELINE[dag_id]


def as_scheduled(dag_bag: DagBag, dag_id: str):
    """The timetable as the scheduler sees it: written to the metadata database and read back."""
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.from_dict(DagSerialization.to_dict(dag_bag.dags[dag_id])).timetable


@pytest.mark.parametrize("dag_id", ["historical_data", "exchange_info", "reconciliation", "maintenance"])
def test_a_new_installation_makes_up_for_no_day_before_it(
    dag_bag: DagBag, dag_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.timetables import trigger
    from airflow.timetables.base import TimeRestriction

    whenever = TimeRestriction(earliest=None, latest=None, catchup=False)
    for started in ("2026-11-23T00:33:00+00:00", "2026-11-23T04:00:00+00:00", "2026-11-23T22:00:00+00:00"):
        now = pendulum.parse(started)
        monkeypatch.setattr(trigger, "utcnow", lambda now=now: now)
        first = as_scheduled(dag_bag, dag_id).next_dagrun_info_v2(last_dagrun_info=None, restriction=whenever)
        assert now < first.run_after <= now.add(days=1)


@pytest.mark.parametrize(("dag_id", "assets"), TRIGGERS.items())
def test_any_of_the_assets_before_it_starts_a_dag(dag_bag: DagBag, dag_id: str, assets: list[str]) -> None:
    from airflow.assets.evaluation import AssetEvaluator

    condition = as_scheduled(dag_bag, dag_id).asset_condition
    keys = {key.name: key for key, _ in condition.iter_assets()}
    assert sorted(keys) == assets
    for made in keys.values():  # as the scheduler asks it: of those assets that have an event
        assert AssetEvaluator(None).run(condition, statuses={made: True})
    assert not AssetEvaluator(None).run(condition, statuses={})


@pytest.mark.parametrize("dag_id", list(TRIGGERS))
def test_many_partitions_become_one_run(dag_bag: DagBag, dag_id: str) -> None:
    timetable = as_scheduled(dag_bag, dag_id)
    for key, _ in timetable.asset_condition.iter_assets():
        mapper = timetable.get_partition_mapper(name=key.name, uri=key.uri)
        assert {mapper.to_downstream(each) for each in ("2025-10-29", "drift|manual__2025")} == {"latest"}


def is_watching(task: Any) -> bool:
    """Tell whether a task is of the live feed's watch, where one task raises the alert for all others."""
    return task.dag_id in {"streaming_data", "live_gaps"} and task.task_id not in {"health", "announce"}


@pytest.mark.parametrize("dag_id", PIPELINE)
def test_each_dag_is_operable(dag_bag: DagBag, dag_id: str) -> None:
    dag = dag_bag.dags[dag_id]
    assert dag.doc_md
    assert "cryptobot" in dag.tags
    assert dag.deadline
    # A run whose deadline counts from when it was queued cannot be cleared (apache/airflow issue 70368).
    assert dag.deadline[0].reference.reference_name == "AverageRuntimeDeadline"
    assert dag.max_active_runs == 1
    for task in dag.tasks:
        assert task.owner == "cryptobot"
        assert task.execution_timeout is not None
        told_before = task.task_id == "all_fresh" or is_watching(task)  # whose alert another task raises
        assert task.on_failure_callback or told_before
        assert task.retries or told_before or task.task_id in {"await_workers", "health"}


@pytest.mark.parametrize("dag_id", ["historical_data", "historical_backfill", "features", "models"])
def test_batch_work_is_submitted_to_spark_by_the_providers_operator(dag_bag: DagBag, dag_id: str) -> None:
    from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

    submits = [task for task in dag_bag.dags[dag_id].tasks if isinstance(task, SparkSubmitOperator)]
    assert len(submits) == 1
    assert "mongodb://" not in " ".join(map(str, submits[0].application_args))


def test_a_days_partition_is_the_day_that_has_closed(dag_bag: DagBag) -> None:
    timetable = as_scheduled(dag_bag, "historical_data")
    _, key = timetable._get_partition_info(pendulum.datetime(2025, 10, 30))
    assert key == "2025-10-29"


def test_airflows_backfill_makes_the_first_day_and_the_last(dag_bag: DagBag) -> None:
    made = as_scheduled(dag_bag, "historical_data").iter_partition_dagrun_infos(
        earliest=pendulum.datetime(2025, 10, 29), latest=pendulum.datetime(2025, 10, 31)
    )
    assert [info.partition_key for info in made] == ["2025-10-29", "2025-10-30", "2025-10-31"]


def test_a_backfilled_day_is_the_same_partition_as_the_scheduled_one(dag_bag: DagBag) -> None:
    timetable = as_scheduled(dag_bag, "historical_data")
    scheduled, _ = timetable._get_partition_info(pendulum.datetime(2025, 10, 30))
    (backfilled,) = timetable.iter_partition_dagrun_infos(
        earliest=pendulum.datetime(2025, 10, 29), latest=pendulum.datetime(2025, 10, 29)
    )
    assert backfilled.partition_date == scheduled
