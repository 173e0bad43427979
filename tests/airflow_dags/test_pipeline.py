"""What the DAGs share: events between assets, the judgement of a checkpoint, connections."""

from __future__ import annotations

import contextlib
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.settings import ROOT

Db = Database[dict[str, Any]]
API = "http://api.example"


@pytest.fixture(autouse=True)
def _dags_folder(dag_bag: object) -> None:
    """The fixture puts the DAG folder, and with it ``pipeline``, on the path."""


@pytest.fixture(autouse=True)
def _connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYPTOBOT_API_URL", API)
    monkeypatch.setenv(
        "AIRFLOW_CONN_MONGO_DEFAULT", json.dumps({"conn_type": "mongo", "host": "m:1", "schema": "cryptobot"})
    )


def event(report: str, day: str, **extra: Any) -> SimpleNamespace:
    return SimpleNamespace(partition_key=day, extra={"report": report, **extra})


ROW = "BTCUSDT|1m|1761782520000"


def outcome(worst: str | None, rows: int = 10) -> SimpleNamespace:
    failed = SimpleNamespace(
        severity=worst, asset="BTCUSDT-1m", name="High is highest", observed="2 of 10", rows=[ROW]
    )
    return SimpleNamespace(
        run_id="run-1",
        suite="historical_data",
        collection="historical_data",
        start=datetime(2025, 10, 29, tzinfo=UTC),
        end=datetime(2025, 10, 30, tzinfo=UTC),
        rows=rows,
        worst_severity=worst,
        blocking=worst == "critical",
        failures=[failed] if worst else [],
        report_path="validations/x.html",
    )


def test_a_range_that_was_announced_by_day_is_done_once() -> None:
    from pipeline.events import announced, partitions

    events = {"asset": [event("a", "2025-10-30"), event("a", "2025-10-29"), event("b", "2025-10-31")]}
    assert [extra["report"] for extra in announced(events)] == ["a", "b"]
    assert partitions(events) == ["2025-10-29", "2025-10-30", "2025-10-31"]


def test_the_range_of_a_run_spans_all_that_was_announced() -> None:
    from pipeline.events import covered

    told = [
        {"from": "2025-10-30", "to": "2025-11-01", "symbols": ["BTCUSDT"], "intervals": ["1m", "1h"]},
        {"from": "2025-10-29", "to": "2025-10-31", "symbols": ["BTCUSDT", "ETHUSDT"], "intervals": ["1h"]},
    ]
    assert covered(told) == {
        "from": "2025-10-29",
        "to": "2025-11-01",
        "symbols": ["BTCUSDT", "ETHUSDT"],
        "intervals": ["1m", "1h"],
    }


def test_an_event_tells_what_was_done_to_which_candles() -> None:
    from pipeline.assets import HISTORICAL_DATA
    from pipeline.events import announce

    span = {"symbol": "BTCUSDT", "interval": "1h", "rows": 48}
    report = {
        "_id": "run-1",
        "rows": 48,
        "inserted": 40,
        "corrected": 1,
        "missing": 2,
        "duration_s": 3.14159,
        "spans": [span, {**span, "interval": "1d", "rows": 2}, {**span, "symbol": "ETHUSDT", "rows": 0}],
    }
    event = SimpleNamespace(extra=None, add_partitions=lambda days: setattr(event, "days", days))
    bounds = (datetime(2025, 10, 29, tzinfo=UTC), datetime(2025, 10, 31, tzinfo=UTC))
    announce({HISTORICAL_DATA: event}, HISTORICAL_DATA, report, bounds, ["2025-10-29", "2025-10-30"])
    assert event.days == ["2025-10-29", "2025-10-30"]
    assert event.extra == {
        "report": "run-1",
        "rows": 48,
        "inserted": 40,
        "corrected": 1,
        "missing": 2,
        "symbols": ["BTCUSDT"],
        "intervals": ["1h", "1d"],
        "from": "2025-10-29T00:00:00+00:00",
        "to": "2025-10-31T00:00:00+00:00",
        "duration_s": 3.142,
    }


def test_a_critical_failure_stops_the_pipeline_and_says_where_to_look(product: Db) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from pipeline.quality import judged

    with pytest.raises(
        AirflowFailException,
        match=rf"BTCUSDT-1m: High is highest .* rows {re.escape(ROW)}.* {API}/quality/validations/x.html",
    ):
        judged([outcome(None), outcome("critical")])


def test_a_critical_failure_raises_one_alert_until_the_partition_passes(product: Db) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from pipeline.quality import judged

    for _ in range(2):
        with pytest.raises(AirflowFailException):
            judged([outcome("critical")])
    (alert,) = product["alerts"].find()
    assert (alert["kind"], alert["severity"], alert["resolved_at"]) == ("quality_failure", "critical", None)
    assert alert["details"]["partition"] == "2025-10-29 00:00 to 2025-10-30 00:00"
    assert ROW in alert["message"]
    assert f"{API}/quality/validations/x.html" in alert["message"]
    judged([outcome("warning")])
    assert product["alerts"].find_one()["resolved_at"] is not None


@pytest.mark.parametrize(("worst", "told"), [([None, None], None), (["info", "warning"], "warning")])
def test_a_warning_passes_and_is_told(worst: list[str | None], told: str | None, product: Db) -> None:
    from pipeline.quality import judged

    found = judged([outcome(one) for one in worst])
    assert found["worst_severity"] == told
    assert found["rows"] == 20
    assert found["failed_warning"] == worst.count("warning")
    assert found["quality_report"] == f"{API}/quality/validations/x.html"


def test_jobs_reach_mongodb_by_airflows_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.connections import mongo_uri, product_settings

    connection = {
        "conn_type": "mongo",
        "host": "one.example:27017,two.example:27017",
        "schema": "cryptobot",
        "login": "reader",
        "password": "p@ss",
        "extra": {"replicaSet": "rs0", "tz_aware": True, "tls": True},
    }
    monkeypatch.setenv("AIRFLOW_CONN_MONGO_DEFAULT", json.dumps(connection))
    escaped = "p%40ss"
    uri = f"mongodb://reader:{escaped}@one.example:27017,two.example:27017/?replicaSet=rs0&tls=true"
    assert mongo_uri() == uri
    assert product_settings().mongo_uri.get_secret_value() == uri


def submit_by(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``script`` be what runs as spark-submit."""
    submit = folder / "spark-submit"
    submit.write_text(f"#!/bin/sh\n{script}")
    submit.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            ["26/11/22 WARN starting", "historical_data failed: no archive", "closing"],
            "historical_data failed: no archive",
        ),
        (
            ["Exception in thread main", "java.lang.OutOfMemoryError: Java heap space"],
            "OutOfMemoryError: Java heap space",
        ),
    ],
    ids=["by the job", "by Spark"],
)
def test_a_spark_job_that_fails_says_why_rather_than_how_it_was_called(
    output: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.connections import SparkJobFailedError, spark_job

    submit_by("".join(f"echo '{line}'\n" for line in output) + "exit 1\n", tmp_path, monkeypatch)
    with pytest.raises(SparkJobFailedError) as failed:
        spark_job("historical_data", "historical_data", ["--spans", "[]"]).execute({})
    assert str(failed.value).endswith(told)
    assert "spark-submit" not in str(failed.value)


def test_an_argument_whose_template_is_empty_is_not_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.connections import spark_job

    submit_by(f'for each in "$@"; do echo "$each" >> {tmp_path}/said; done\n', tmp_path, monkeypatch)
    spark_job("historical_data", "historical_data", ["--source", "auto", ""]).execute({})
    said = (tmp_path / "said").read_text().split("\n")
    assert said[said.index("--source") :] == ["--source", "auto", ""]  # the last is the end of the file
    assert said[said.index("--master") + 1] == "local[*]"


def test_a_large_range_is_checked_on_spark_and_its_outcome_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from expectations import checkpoint
    from pipeline import quality

    submit_by(f'for each in "$@"; do echo "$each" >> {tmp_path}/said; done\n', tmp_path, monkeypatch)
    monkeypatch.setattr(quality, "product_database", lambda: contextlib.nullcontext("database"))
    monkeypatch.setattr(checkpoint, "is_large", lambda _, reports: reports == ["a", "b"])
    monkeypatch.setattr(checkpoint, "load_result", lambda _, name: SimpleNamespace(name=name))
    task = SimpleNamespace(on_kill=None)
    ti = SimpleNamespace(dag_id="validated", run_id="run-1", try_number=2, task=task)
    (result,) = quality.validated(["a", "b"], ti)
    assert result.name == "validated|run-1|2"
    said = (tmp_path / "said").read_text().splitlines()
    assert said[-5:] == [
        str(ROOT / "expectations" / "large_ranges.py"), "--reports", "a,b", "--result", "validated|run-1|2"
    ]  # fmt: skip
    assert callable(task.on_kill)
