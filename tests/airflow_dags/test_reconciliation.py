"""The `reconciliation` DAG: how it is wired, and its tasks on a real database and exchange."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from pymongo.database import Database

from cryptobot.exchange.rest import RestClient
from cryptobot.market import Kline
from cryptobot.market.span import day_spans
from tests.airflow_dags.test_definitions import as_scheduled
from tests.exchange_server import running_exchange

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG

NOW = datetime.now(UTC)
DAY = f"{NOW - timedelta(days=2):%Y-%m-%d}"
Db = Database[dict[str, Any]]


@pytest.fixture
def dag(dag_bag: DagBag) -> DAG:
    return dag_bag.dags["reconciliation"]


@pytest.fixture
def task(dag: DAG) -> Callable[[str], Callable[..., Any]]:
    return lambda task_id: dag.get_task(task_id).python_callable


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    with running_exchange() as url:
        yield url


@pytest.fixture
def day(product: Db, exchange: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> list[Kline]:
    """The exchange's hours of a day, all of them in both collections."""
    for name, value in {
        "REST_URL": exchange,
        "SYMBOLS": "BTCUSDT",
        "INTERVALS": "1h",
        "SIGNAL_INTERVAL": "1h",
        "DOCS_DIR": str(tmp_path / "docs"),
    }.items():
        monkeypatch.setenv(f"CRYPTOBOT_{name}", value)
    with RestClient(exchange) as client:
        (span,) = day_spans(["BTCUSDT"], ["1h"], DAY)
        rows = [row for page in client.klines(span, client.server_time()) for row in page]
    candles = [Kline.from_rest("BTCUSDT", span.interval, row) for row in rows]
    plain = [asdict(candle) | {"interval": candle.interval.value} for candle in candles]
    product["historical_data"].insert_many(
        {"_id": candle.key, **fields, "source": "rest", "ingested_at": NOW}
        for candle, fields in zip(candles, plain, strict=True)
    )
    product["streaming_data"].insert_many(
        {"_id": f"kline|{candle.key}", "kind": "kline", **fields, "received_at": NOW}
        for candle, fields in zip(candles, plain, strict=True)
    )
    return candles


def events() -> tuple[Any, dict[Any, SimpleNamespace]]:
    from pipeline.assets import RECONCILIATION

    return RECONCILIATION, {RECONCILIATION: SimpleNamespace(extra=None)}


def test_spark_runs_only_for_what_is_to_be_asked_for(dag: DAG) -> None:
    from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

    submit = dag.get_task("historical_data")
    assert isinstance(submit, SparkSubmitOperator)
    assert submit.upstream_task_ids == {"plan"}
    assert submit.application_args[-2:] == ["--source", "rest"]
    assert dag.get_task("checkpoint").trigger_rule == "none_failed"
    assert dag.get_task("checkpoint").upstream_task_ids == {"publish", "day"}


def test_airflows_backfill_makes_the_first_day_and_the_last(dag_bag: DagBag) -> None:
    made = as_scheduled(dag_bag, "reconciliation").iter_partition_dagrun_infos(
        earliest=pendulum.datetime(2025, 10, 29), latest=pendulum.datetime(2025, 10, 31)
    )
    assert [info.partition_key for info in made] == ["2025-10-29", "2025-10-30", "2025-10-31"]


@pytest.mark.parametrize(("key", "over"), [(DAY, True), (f"{NOW - timedelta(days=400):%Y-%m-%d}", True)])
def test_a_day_that_is_over_is_taken_at_once(task: Any, day: list[Kline], key: str, over: bool) -> None:
    answer = task("day")(dag_run=SimpleNamespace(partition_key=key))
    assert (answer.is_done, answer.xcom_value) == (over, key)


@pytest.mark.parametrize("key", [f"{NOW + timedelta(days=1):%Y-%m-%d}", None, "latest"])
def test_what_is_no_day_that_is_over_fails_for_good(task: Any, day: list[Kline], key: str | None) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException):
        task("day")(dag_run=SimpleNamespace(partition_key=key))


def test_a_good_day_asks_for_nothing_and_is_announced_with_its_counts(task: Any, day: list[Kline]) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    found = task("compare")(DAY, params={"replace_differing": False})
    json.dumps(found)  # it goes through XCom
    with pytest.raises(AirflowSkipException):
        task("plan")(found)
    asset, outlet_events = events()
    outcome = task("checkpoint")(DAY, outlet_events=outlet_events)
    assert outlet_events[asset].extra == outcome
    assert (outcome["state"], outcome["live"], outcome["worst_severity"]) == ("equal", 24, None)
    assert "/quality/" in outcome["quality_report"]


def test_a_live_candle_that_differs_blocks_until_it_is_replaced(
    task: Any, product: Db, day: list[Kline]
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    _, outlet_events = events()
    product["streaming_data"].update_one({"_id": f"kline|{day[5].key}"}, {"$set": {"close": 1.0}})
    task("compare")(DAY, params={"replace_differing": False})
    with pytest.raises(AirflowFailException, match="critical"):
        task("checkpoint")(DAY, outlet_events=outlet_events)
    task("compare")(DAY, params={"replace_differing": True})
    assert task("checkpoint")(DAY, outlet_events=outlet_events)["differing"] == 0


def test_a_day_without_live_data_is_said_and_green(task: Any, product: Db, day: list[Kline]) -> None:
    product["streaming_data"].delete_many({})
    asset, outlet_events = events()
    task("compare")(DAY, params={"replace_differing": False})
    assert task("checkpoint")(DAY, outlet_events=outlet_events)["state"] == "no live data"
    assert outlet_events[asset].extra["live"] == 0


def test_what_history_lacks_is_planned_as_spans_of_the_job(task: Any, product: Db, day: list[Kline]) -> None:
    product["historical_data"].delete_one({"_id": day[5].key})
    found = task("compare")(DAY, params={"replace_differing": False})
    (span,) = json.loads(task("plan")(found))
    assert (span["interval"], span["start"]) == ("1h", day[5].open_time.isoformat())
