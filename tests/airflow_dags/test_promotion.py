"""Promotion with and without a person's approval, and the roll-back: what each task does."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.settings import ROOT, Settings, settings
from infra.local import airflow_environment
from tests.serving.models import add_model, promote_model

if TYPE_CHECKING:
    from airflow.sdk import DAG

Db = Database[dict[str, Any]]
RUN = "manual__1"


def metrics(gain: float) -> dict[str, float]:
    return {"log_loss": 1.0 - gain, "log_loss_baseline": 1.0}


@pytest.fixture
def asking(dag_bag: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[DAG]:
    """The DAG `champions` as it is where promotion needs an approval."""
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("CRYPTOBOT_PROMOTION", "approval")
    settings.cache_clear()
    bag = DagBag(airflow_environment.DAGS / "champions.py")
    assert bag.import_errors == {}
    yield bag.dags["champions"]
    settings.cache_clear()


class Instance:
    """A task instance's XComs, as the tasks of one run leave and read them."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], Any] = {}
        self.task_id = ""

    def xcom_push(self, key: str, value: Any) -> None:
        self.values[self.task_id, key] = value

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return self.values.get((task_ids, key))


def test_a_person_is_asked_between_the_gate_and_the_promotion_of_each_pair(asking: DAG) -> None:
    assert set(asking.task_dict) == {
        f"{symbol}.{task}"
        for symbol in ("BTCUSDT", "ETHUSDT")
        for task in ("judge", "approve", "promote", "announce")
    }
    approve = asking.get_task("BTCUSDT.approve")
    assert approve.upstream_task_ids == {"BTCUSDT.judge"}
    assert approve.downstream_task_ids == {"BTCUSDT.promote"}
    assert (approve.defaults, approve.response_timeout) == (["Reject"], timedelta(hours=24))
    assert approve.execution_timeout is None
    assert approve.on_failure_callback
    announce = asking.get_task("BTCUSDT.announce")
    assert announce.upstream_task_ids == {"BTCUSDT.judge", "BTCUSDT.promote"}
    assert announce.trigger_rule == "none_failed"
    assert [asset.name for asset in announce.outlets] == ["champions"]
    assert asking.deadline[0].interval == timedelta(hours=24, minutes=30)


def test_only_a_challenger_that_passed_the_gate_is_asked_about(asking: DAG, product: Db) -> None:
    judge = asking.get_task("BTCUSDT.judge").python_callable
    ti = Instance()
    ti.task_id = "BTCUSDT.judge"

    def settled() -> str:
        return str(ti.values["BTCUSDT.judge", "request"]["settled"]["reason"])

    assert judge(ti=ti) == "BTCUSDT.announce"
    assert settled() == "BTCUSDT has no new model"
    add_model(product, 0, metrics=metrics(0.01))
    assert judge(ti=ti) == "BTCUSDT.announce"
    assert settled() == "first model of BTCUSDT"
    add_model(product, 1, metrics=metrics(0.0))
    assert judge(ti=ti) == "BTCUSDT.announce"
    assert settled().startswith("not better by 0.001")
    better = add_model(product, 2, metrics=metrics(0.03))
    assert judge(ti=ti) == "BTCUSDT.approve"
    request = ti.values["BTCUSDT.judge", "request"]
    assert request["version"] == better
    assert "| log-loss skill | +0.0100 | +0.0300 |" in request["body"]
    assert "verdict" not in registry.model(product, better)
    (alert,) = product.alerts.find()
    assert (alert["kind"], alert["details"], alert["resolved_at"]) == ("promotion", {"version": better}, None)


def roll_back(dag_bag: Any, version: str | None = None, started: datetime | None = None) -> tuple[Any, Any]:
    """Return what the task returns, and the event that it announces."""
    keys: list[str] = []
    event = SimpleNamespace(extra=None, add_partitions=keys.append, keys=keys)

    class Events(dict[Any, Any]):
        def __missing__(self, _: Any) -> Any:
            return event

    done = (
        dag_bag.dags["roll_back"]
        .get_task("roll_back")
        .python_callable(
            params={"symbol": "BTCUSDT", "reason": "it earns nothing", "version": version},
            dag_run=SimpleNamespace(run_id=RUN, start_date=started or datetime.now(UTC)),
            outlet_events=Events(),
        )
    )
    return done, event


def test_a_roll_back_is_announced_and_not_done_twice_by_a_retry(dag_bag: Any, product: Db) -> None:
    first, second, third = (promote_model(product, seed) for seed in range(3))
    started = datetime.now(UTC) - timedelta(seconds=1)
    for version in (third, third, None):
        done, event = roll_back(dag_bag, version, started)
        told = "rolled back by hand (in Airflow): it earns nothing"
        assert done == {"promoted": True, "version": second, "reason": told}
        assert event.keys == [RUN]
        assert event.extra == {"decisions": {"BTCUSDT": done}}
    pointer = registry.champion(product, "BTCUSDT")
    assert pointer is not None
    assert (pointer["version"], pointer["previous"]) == (second, first)
    assert registry.model(product, third)["rolled_back_at"] is not None


def test_a_roll_back_to_nothing_sound_fails_and_says_so(dag_bag: Any, product: Db) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="BTCUSDT has no champion"):
        roll_back(dag_bag)
    first = promote_model(product, 0)
    second = promote_model(product, 1)
    registry.quarantine(product, first, "hash differs")
    with pytest.raises(AirflowFailException, match="no sound model of BTCUSDT"):
        roll_back(dag_bag)
    assert registry.champion(product, "BTCUSDT")["version"] == second


def test_a_roll_back_of_another_version_than_serves_fails_and_changes_nothing(
    dag_bag: Any, product: Db
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    first, second = (promote_model(product, seed) for seed in range(2))
    with pytest.raises(AirflowFailException, match=rf"{first} is not the champion .*it is {second}"):
        roll_back(dag_bag, first)
    assert registry.champion(product, "BTCUSDT")["version"] == second


def test_the_form_asks_for_a_pair_and_a_reason(dag_bag: Any) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    def given(**form: str) -> Any:
        params = copy.deepcopy(dag_bag.dags["roll_back"].params)
        params.update(form)
        return params.validate()

    form = {"symbol": "BTCUSDT", "reason": "why"}
    assert given(**form) == {**form, "version": None}
    assert given(**form, version="v1") == {**form, "version": "v1"}
    for wrong in (
        {"symbol": "BTCUSDT"},
        {"symbol": "DOGEUSDT", "reason": "why"},
        {"symbol": "BTCUSDT", "reason": ""},
    ):
        with pytest.raises(ParamValidationError):
            given(**wrong)


@pytest.fixture
def airflow(tmp_path: Path, app_settings: Settings) -> dict[str, str]:
    """The environment of an Airflow of the test's own, in which promotion needs an approval."""
    environment = {
        **os.environ,
        **airflow_environment.connections(app_settings),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(airflow_environment.DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "CRYPTOBOT_ENV_FILE": "/dev/null",
        "CRYPTOBOT_MONGO_DATABASE": app_settings.mongo_database,
        "CRYPTOBOT_PROMOTION": "approval",
        "PYTHONPATH": str(ROOT),
    }
    airflow = str(Path(sys.executable).parent / "airflow")
    subprocess.run([airflow, "db", "migrate"], env=environment, check=True, capture_output=True, timeout=200)
    return environment


def run(airflow: dict[str, str], dag_id: str, conf: dict[str, str], **answers: tuple[str, str]) -> Any:
    """Run a DAG in the real Airflow, its questions answered; return what came of it."""
    program = str(Path(__file__).with_name("run_answered.py"))
    given = {f"{symbol}.approve": answer for symbol, answer in answers.items()}
    done = subprocess.run(
        [sys.executable, program, dag_id, json.dumps(conf), json.dumps(given)],
        env=airflow, cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["state"] == "success", done.stdout[-6000:]
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_in_airflow_a_pair_is_approved_another_rejected_and_the_first_rolled_back(
    airflow: dict[str, str], database: Db
) -> None:
    symbols = ("BTCUSDT", "ETHUSDT")
    before = {symbol: promote_model(database, 0, symbol, metrics=metrics(0.01)) for symbol in symbols}
    better = {symbol: add_model(database, 1, symbol, metrics=metrics(0.03)) for symbol in symbols}

    found = run(airflow, "champions", {}, BTCUSDT=("Approve", "looks sound"), ETHUSDT=("Reject", ""))
    skipped = {task for task, state in found["tasks"].items() if state == "skipped"}
    assert (len(found["tasks"]), skipped) == (8, {"ETHUSDT.promote"})
    for symbol in symbols:
        asked = found["asked"][f"{symbol}.approve"]
        assert asked.startswith(f"Promote {better[symbol]}?\n")
        assert f"| version | {before[symbol]} | {better[symbol]} |" in asked
        assert "| log-loss skill | +0.0100 | +0.0300 |" in asked
    assert "deployment" in found["started"], "also after a run that was triggered by hand"
    told = {
        symbol: event["decisions"][symbol] for event in found["announced"] for symbol in event["decisions"]
    }
    assert told["BTCUSDT"]["promoted"]
    assert told["BTCUSDT"]["reason"].startswith("approved by Anonymous (looks sound): better out of sample")
    assert not told["ETHUSDT"]["promoted"]
    assert told["ETHUSDT"]["reason"].startswith("refused by Anonymous: better out of sample")
    for symbol, serving in (("BTCUSDT", better["BTCUSDT"]), ("ETHUSDT", before["ETHUSDT"])):
        assert registry.champion(database, symbol)["version"] == serving
        assert registry.model(database, better[symbol])["verdict"]["reason"] == told[symbol]["reason"]
    assert database.alerts.count_documents({"kind": "promotion", "resolved_at": None}) == 0

    back = run(airflow, "roll_back", {"symbol": "BTCUSDT", "reason": "it earns nothing"})
    assert registry.champion(database, "BTCUSDT")["version"] == before["BTCUSDT"]
    assert back["announced"][-1]["decisions"]["BTCUSDT"]["version"] == before["BTCUSDT"]
    assert "deployment" in back["started"]
