"""What is built from which candles: by the intervals that events announce."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from pymongo.database import Database

from cryptobot.features import FEATURE_SET
from cryptobot.settings import Settings

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

MADE = {
    "report": "run-1",
    "from": "2025-10-29T00:00:00+00:00",
    "to": "2025-10-30T00:00:00+00:00",
    "symbols": ["BTCUSDT"],
    "intervals": ["1h", "15m", "4h"],
}


@pytest.fixture(autouse=True)
def _airflow(app_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    address = urlsplit(app_settings.mongo_uri.get_secret_value())
    connection = {"conn_type": "mongo", "host": address.netloc, "schema": app_settings.mongo_database}
    monkeypatch.setenv("AIRFLOW_CONN_MONGO_DEFAULT", json.dumps({**connection, "extra": {"tz_aware": True}}))
    monkeypatch.setenv("CRYPTOBOT_INTERVALS", "15m,1h,1d")


def plan(dag_bag: DagBag, dag_id: str, **made: Any) -> Any:
    """Return what the DAG's ``plan`` makes of one event."""
    events = {"asset": [SimpleNamespace(partition_key="2025-10-29", extra={**MADE, **made})]}
    return dag_bag.dags[dag_id].get_task("plan").python_callable(triggering_asset_events=events)


def test_features_are_made_of_the_announced_intervals_that_are_configured(dag_bag: DagBag) -> None:
    planned = plan(dag_bag, "features")
    assert planned["intervals"] == ["15m", "1h"]
    assert planned["symbols"] == ["BTCUSDT", "ETHUSDT"]
    assert (planned["from"], planned["to"]) == (MADE["from"], MADE["to"])


@pytest.mark.parametrize("made", [{"intervals": ["4h", "1w"]}, {"symbols": ["SOLUSDT"]}])
def test_nothing_is_made_of_candles_that_are_not_configured(dag_bag: DagBag, made: dict[str, Any]) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="do not ask for them"):
        plan(dag_bag, "features", **made)


def test_no_model_is_trained_on_another_interval(dag_bag: DagBag) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="models learn from 15m"):
        plan(dag_bag, "models", intervals=["1h", "1d"])


def test_models_know_all_that_is_newer_than_a_repaired_day(
    dag_bag: DagBag, database: Database[dict[str, Any]]
) -> None:
    assert plan(dag_bag, "models") == "2025-10-30T00:00:00+00:00"
    candle = {"symbol": "ETHUSDT", "interval": "15m", "open_time": datetime(2025, 11, 1, 4, 0, tzinfo=UTC)}
    database.features.insert_one(
        {
            "_id": "newest",
            **candle,
            "version": FEATURE_SET.version,
            "values": dict.fromkeys(FEATURE_SET.names),
        }
    )
    assert plan(dag_bag, "models") == "2025-11-01T04:15:00+00:00"
