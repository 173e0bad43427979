"""The DAG `streaming_data`: who waits for what, what is red and when, one alert for one outage."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.database import Database

from cryptobot.settings import Settings
from cryptobot.storage import health
from cryptobot.storage.collections import ALERTS, SERVICE_HEALTH
from cryptobot.storage.live_health import DAEMONS, LIVE_FEED
from infra.local.airflow_environment import WATCHED, connections
from streaming import watch

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

Db = Database[dict[str, Any]]

SENSORS = (
    "trades_arrive", "klines_arrive", "tickers_arrive",
    "producer_beats", "sink_beats", "signals_beats", "notifier_beats",
)  # fmt: skip


class Ti:
    """What `health` uses of its task instance."""

    dag_id, run_id = "streaming_data", "run-1"

    def __init__(self, *failed: str) -> None:
        self.pushed: dict[str, Any] = {}
        self._states = {name: "failed" if name in failed else "success" for name in SENSORS}

    def get_task_states(self, *, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, Any]:
        assert (dag_id, run_ids, sorted(task_ids)) == (self.dag_id, [self.run_id], sorted(SENSORS))
        return {self.run_id: self._states}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = json.loads(json.dumps(value))

    def xcom_pull(self, *, task_ids: str, key: str) -> Any:
        assert task_ids == "health"
        return self.pushed[key]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> watch.Found:
    """What the look at the live path finds: nothing, unless the test says."""
    found = watch.Found(detail={"open_gaps": 0})
    monkeypatch.setattr(watch, "look", lambda *_: found)
    return found


def judge(dag_bag: DagBag, ti: Ti) -> list[str]:
    chosen: list[str] = dag_bag.dags["streaming_data"].get_task("health").python_callable(ti=ti)
    return chosen


def age(database: Db, by: timedelta) -> None:
    """Make the last announcement older."""
    announced = database[SERVICE_HEALTH].find_one({"_id": LIVE_FEED})["announced_at"]
    database[SERVICE_HEALTH].update_one({"_id": LIVE_FEED}, {"$set": {"announced_at": announced - by}})


def test_sensors_wait_in_the_triggerer_all_at_once(dag_bag: DagBag) -> None:
    dag = dag_bag.dags["streaming_data"]
    sensors = [dag.get_task(name) for name in SENSORS]
    assert all(sensor.start_from_trigger and not sensor.upstream_task_ids for sensor in sensors)
    assert all(sensor.downstream_task_ids == {"health"} for sensor in sensors)
    assert {sensor.kafka_config_id for sensor in sensors} == {f"kafka_watch_{name}" for name in WATCHED}
    assert {name.removeprefix("AIRFLOW_CONN_").lower() for name in connections(Settings(_env_file=None))} >= {
        sensor.kafka_config_id for sensor in sensors
    }


def test_no_two_sensors_share_a_group_of_consumers() -> None:
    found = connections(Settings(_env_file=None))
    groups = {
        json.loads(found[f"AIRFLOW_CONN_KAFKA_WATCH_{name.upper()}"])["extra"]["group.id"] for name in WATCHED
    }
    assert len(groups) == len(WATCHED)


def test_the_triggerer_makes_the_triggers_as_the_dag_says(dag_bag: DagBag) -> None:
    from airflow.models.trigger import Trigger
    from airflow.serialization.decoders import smart_decode_trigger_kwargs
    from airflow.serialization.serialized_objects import DagSerialization

    from streaming.await_message import AwaitMessageInTime

    dag = DagSerialization.from_dict(DagSerialization.to_dict(dag_bag.dags["streaming_data"]))
    for name in SENSORS:
        sensor = dag.get_task(name)
        assert sensor.start_from_trigger
        started = sensor.start_trigger_args
        row = Trigger(classpath=started.trigger_cls, kwargs=started.trigger_kwargs)
        kwargs = {each: smart_decode_trigger_kwargs(value) for each, value in row.kwargs.items()}
        trigger = AwaitMessageInTime(**kwargs)
        assert trigger.serialize() == (started.trigger_cls, kwargs)
        declared = dag_bag.dags["streaming_data"].get_task(name)
        assert trigger.topics == declared.topics
        assert trigger.kafka_config_id == declared.kafka_config_id
        assert trigger.apply_function_kwargs == declared.apply_function_kwargs


def test_every_check_is_a_task(dag_bag: DagBag) -> None:
    tasks = {name.removeprefix("findings.") for name in dag_bag.dags["streaming_data"].task_ids}
    checks = {value for name, value in vars(watch).items() if name.isupper() and isinstance(value, str)}
    assert checks <= tasks


def test_a_silent_daemon_says_what_to_do(dag_bag: DagBag) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    sensor = dag_bag.dags["streaming_data"].get_task("sink_beats")
    with pytest.raises(AirflowFailException, match=r"The sink does not beat.* make logs SERVICE=sink .*30 s"):
        sensor.execute_complete({}, {"missing": "nothing that fits came within 30 s"})
    for error in ("Trigger timeout", "Trigger failure"):
        with pytest.raises(AirflowFailException, match=rf"The sink does not beat.* could not tell: {error}"):
            sensor.resume_execution("__fail__", {"error": error}, {})


def test_a_healthy_feed_is_announced_every_five_minutes(
    dag_bag: DagBag, product: Db, look: watch.Found
) -> None:
    assert judge(dag_bag, Ti()) == ["announce"]
    assert judge(dag_bag, Ti()) == []
    age(product, timedelta(minutes=5))
    assert judge(dag_bag, Ti()) == ["announce"]
    assert product[ALERTS].count_documents({}) == 0


def test_an_outage_is_red_and_told_once_and_ends_by_itself(
    dag_bag: DagBag, product: Db, look: watch.Found
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    judge(dag_bag, Ti())
    look.findings[watch.EVENTS_ARE_OLD].append("BTCUSDT: the newest event is 90 s old")
    ti = Ti("producer_beats", "trades_arrive")
    for _ in range(3):
        assert judge(dag_bag, ti) == [
            "findings.topic_is_silent", "findings.daemon_is_silent", "findings.events_are_old"
        ]  # fmt: skip
    (alert,) = product[ALERTS].find()
    assert alert["kind"] == "live_feed"
    assert "the producer does not beat" in alert["message"]
    assert "BTCUSDT: the newest event is 90 s old" in alert["message"]
    told = product[SERVICE_HEALTH].find_one({"_id": LIVE_FEED})
    assert told["state"] == "unhealthy"
    assert set(told["detail"]["findings"]) == {"topic_is_silent", "daemon_is_silent", "events_are_old"}
    finding = dag_bag.dags["streaming_data"].get_task("findings.topic_is_silent").python_callable
    with pytest.raises(AirflowFailException, match=r"^market.trades receives nothing$"):
        finding(ti=ti)

    look.findings.clear()
    assert judge(dag_bag, Ti()) == ["announce"]  # at once: it has recovered
    (alert,) = product[ALERTS].find()
    assert alert["resolved_at"] > alert["created_at"]
    assert product[SERVICE_HEALTH].find_one({"_id": LIVE_FEED})["state"] == "healthy"

    judge(dag_bag, Ti("sink_beats"))
    assert product[ALERTS].count_documents({}) == 2


def test_kafka_away_is_a_finding_not_a_crash(
    dag_bag: DagBag, product: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.servers import free_port

    monkeypatch.setenv("CRYPTOBOT_KAFKA_BOOTSTRAP", f"127.0.0.1:{free_port()}")
    for service in DAEMONS:
        health.report_health(product, service, "1@host", "healthy", {"problem": None})
    ti = Ti(*SENSORS)
    began = datetime.now(UTC)
    chosen = judge(dag_bag, ti)
    assert datetime.now(UTC) - began < timedelta(seconds=25)
    assert "findings.kafka_is_away" in chosen
    assert "does not answer" in ti.pushed["findings"]["kafka_is_away"][0]


def test_the_announcement_holds_the_figures(dag_bag: DagBag) -> None:
    from pipeline.assets import STREAMING_DATA

    ti = Ti()
    ti.xcom_push("detail", {"open_gaps": 0})
    event = SimpleNamespace(extra=None)
    task = dag_bag.dags["streaming_data"].get_task("announce").python_callable
    task(outlet_events={STREAMING_DATA: event}, ti=ti)
    assert event.extra == {"open_gaps": 0}


def test_the_repair_tells_what_it_did_and_is_red_without_an_answer(
    dag_bag: DagBag, product: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from pipeline.assets import LIVE_GAPS
    from streaming import gap_repair

    done = gap_repair.Repaired(found=1, trades=12, repaired=1, symbols=["BTCUSDT"])
    monkeypatch.setattr(gap_repair, "repair_gaps", lambda *_: done)
    event = SimpleNamespace(extra=None)
    repair = dag_bag.dags["live_gaps"].get_task("repair").python_callable
    told = repair(outlet_events={LIVE_GAPS: event})
    assert event.extra == told == json.loads(json.dumps(told))
    assert (told["trades"], told["repaired"], told["left"]) == (12, 1, False)
    done.failures.append("the exchange gave no usable answer")
    done.open = 3
    with pytest.raises(
        AirflowFailException, match=r"^3 holes .* gave no usable answer; the next run asks again"
    ):
        repair(outlet_events={LIVE_GAPS: event})
