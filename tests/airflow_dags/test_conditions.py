"""What is built from which candles: by the intervals that events announce."""

from __future__ import annotations

import inspect
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


def run_plan(dag_bag: DagBag, dag_id: str, *extras: dict[str, Any]) -> Any:
    """Return what the DAG's ``plan`` makes of events with these metadata, and what it hands on."""
    found = [SimpleNamespace(partition_key="2025-10-29", extra=extra) for extra in extras]
    callable_ = dag_bag.dags[dag_id].get_task("plan").python_callable
    handed_on: dict[str, Any] = {}
    ti = SimpleNamespace(xcom_push=handed_on.__setitem__)
    arguments = {"triggering_asset_events": {"asset": found} if found else {}, "ti": ti}
    accepted = inspect.signature(callable_).parameters
    return callable_(**{name: value for name, value in arguments.items() if name in accepted}), handed_on


def plan(dag_bag: DagBag, dag_id: str, **made: Any) -> Any:
    """Return what the DAG's ``plan`` makes of one event of candles or features."""
    return run_plan(dag_bag, dag_id, {**MADE, **made})[0]


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
    store_newest_feature(database, "ETHUSDT", datetime(2025, 11, 1, 4, 0, tzinfo=UTC))
    assert plan(dag_bag, "models") == "2025-11-01T04:15:00+00:00"


DRIFTED = {"report": "drift|run-2", "because": ["v1 has drifted"]}
LEARNED = datetime(2025, 10, 29, tzinfo=UTC)


@pytest.fixture
def learned(database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that know the market until a day before the newest features, and are trained weekly."""
    monkeypatch.setenv("CRYPTOBOT_RETRAIN_AFTER_DAYS", "7")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        store_newest_feature(database, symbol, datetime(2025, 10, 29, 23, 45, tzinfo=UTC))
        database.backtests.insert_one({"_id": f"{symbol}-1", "symbol": symbol, "created_at": LEARNED})


def store_newest_feature(database: Database[dict[str, Any]], symbol: str, open_time: datetime) -> None:
    database.features.insert_one(
        {
            "_id": f"{symbol}|15m|newest",
            "symbol": symbol,
            "interval": "15m",
            "open_time": open_time,
            "version": FEATURE_SET.version,
            "values": dict.fromkeys(FEATURE_SET.names),
        }
    )


@pytest.mark.usefixtures("learned")
def test_a_day_of_new_candles_trains_no_model_that_is_trained_weekly(dag_bag: DagBag) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="no model has drifted or aged"):
        plan(dag_bag, "models")


@pytest.mark.usefixtures("learned")
@pytest.mark.parametrize("events", [[DRIFTED], [MADE, DRIFTED], [{**MADE, "intervals": ["1h"]}, DRIFTED]])
def test_drift_trains_models_before_it_is_time(dag_bag: DagBag, events: list[dict[str, Any]]) -> None:
    until, handed_on = run_plan(dag_bag, "models", *events)
    assert until == "2025-10-30T00:00:00+00:00"
    assert handed_on == {"because": "v1 has drifted"}


@pytest.mark.usefixtures("learned")
def test_drift_trains_nothing_on_what_is_learned_already(
    dag_bag: DagBag, database: Database[dict[str, Any]]
) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    database.backtests.update_many({}, {"$set": {"created_at": LEARNED.replace(day=30)}})
    with pytest.raises(
        AirflowSkipException, match="models know all candles until 2025-10-30 00:00, although"
    ):
        run_plan(dag_bag, "models", DRIFTED)


@pytest.mark.usefixtures("learned")
def test_by_hand_models_are_trained_on_what_is_known(dag_bag: DagBag) -> None:
    until, handed_on = run_plan(dag_bag, "models")
    assert until == "2025-10-30T00:00:00+00:00"
    assert handed_on == {"because": "it was asked for by hand"}
