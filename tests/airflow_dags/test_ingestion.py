"""What the DAGs that read candles announce once the Spark job has ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.database import Database

from cryptobot.market import kline_id
from cryptobot.market.instant import to_ms

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

Db = Database[dict[str, Any]]
START = datetime(2025, 10, 29, tzinfo=UTC)
DAYS = ["2025-10-29", "2025-10-30"]


@pytest.fixture
def report(product: Db) -> str:
    """The report of a job that brought the hours of two days."""
    opens = [START + timedelta(hours=hour) for hour in range(48)]
    product["historical_data"].insert_many(
        (
            {
                "_id": kline_id("BTCUSDT", "1h", to_ms(at)),
                "symbol": "BTCUSDT",
                "interval": "1h",
                "open_time": at,
            }
            for at in opens
        ),
        bypass_document_validation=True,
    )
    span = {"symbol": "BTCUSDT", "interval": "1h", "first_open_time": opens[0], "last_open_time": opens[-1]}
    product["job_reports"].insert_one(
        {
            "_id": "made",
            "job": "historical_data",
            "rows": 48,
            "duration_s": 1.0,
            "spans": [{**span, "rows": 48}],
        }
    )
    return "made"


def published(dag_bag: DagBag, dag_id: str, report: str, partition: str | None) -> list[str]:
    """Return the days that a DAG's task ``publish``, called as it is wired, announces."""
    from pipeline.assets import HISTORICAL_DATA

    days: list[str] = []
    events = {HISTORICAL_DATA: SimpleNamespace(extra=None, add_partitions=days.extend)}
    task = dag_bag.dags[dag_id].get_task("publish")
    run = SimpleNamespace(partition_key=partition)
    task.python_callable(report, **task.op_kwargs, dag_run=run, outlet_events=events)
    assert events[HISTORICAL_DATA].extra["rows"] == 48
    return days


@pytest.mark.parametrize(
    ("dag_id", "partition", "days"),
    [
        ("historical_backfill", None, DAYS),
        ("historical_data", "2025-10-29", []),
        ("reconciliation", "2025-10-30", DAYS),
    ],
)
def test_a_range_and_a_repair_announce_each_day_and_a_partition_itself(
    dag_bag: DagBag, report: str, dag_id: str, partition: str | None, days: list[str]
) -> None:
    assert published(dag_bag, dag_id, report, partition) == days


@pytest.mark.parametrize("dag_id", ["historical_backfill", "reconciliation"])
def test_where_the_exchange_has_no_candle_nothing_is_announced(
    dag_bag: DagBag, product: Db, dag_id: str
) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    product["job_reports"].insert_one(
        {"_id": "empty", "job": "historical_data", "rows": 0, "duration_s": 1.0, "spans": []}
    )
    with pytest.raises(AirflowSkipException, match="no candle in this range"):
        published(dag_bag, dag_id, "empty", None)
