"""The same DAG on a real cluster: only Airflow's connection says where Spark runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.settings import ROOT, Settings
from infra.local import airflow_environment
from infra.local.jars import spark_jars
from tests.e2e.spark_cluster import Cluster, running_cluster
from tests.exchange_server import running_exchange

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

AIRFLOW = str(Path(sys.executable).parent / "airflow")
RUN_DAG = str(Path(__file__).with_name("run_dag.py"))
RANGE = {"from": "2025-10-01", "to": "2025-10-20"}
CANDLES = {"symbols": ["BTCUSDT", "ETHUSDT"], "intervals": ["15m", "1h"]}


@pytest.fixture
def exchange() -> Iterator[str]:
    with running_exchange() as url:
        yield url


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running_cluster(tmp_path / "spark", workers=2) as cluster:
        yield cluster


@pytest.fixture
def airflow(tmp_path: Path, app_settings: Settings, exchange: str, cluster: Cluster) -> dict[str, str]:
    """The environment of an Airflow of the test's own, whose Spark is the cluster."""
    spark = {"conn_type": "spark", "host": f"spark://{cluster.host}", "port": cluster.port}
    environment = {
        **os.environ,
        **airflow_environment.task_variables(spark_jars()),
        **airflow_environment.connections(app_settings),
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps(spark),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(airflow_environment.DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "CRYPTOBOT_ENV_FILE": "/dev/null",
        "CRYPTOBOT_MONGO_DATABASE": app_settings.mongo_database,
        "CRYPTOBOT_REST_URL": exchange,
        "CRYPTOBOT_ARCHIVE_URL": exchange,
        "CRYPTOBOT_SPARK_EXECUTOR_MEMORY": "512m",
    }
    run([AIRFLOW, "db", "migrate"], environment)
    return environment


def run(command: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, env=dict(environment), cwd=ROOT, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def test_a_backfill_runs_on_all_workers_of_a_cluster(
    airflow: dict[str, str], cluster: Cluster, database: Database[dict[str, Any]]
) -> None:
    form = {**CANDLES, **RANGE, "source": "rest", "overwrite": False}
    run([sys.executable, RUN_DAG, "historical_backfill", json.dumps(form)], airflow)

    (application,) = cluster.applications()
    assert application["state"] == "FINISHED"
    assert application["cores"] == 2
    assert cluster.worked_for(application["id"]) == [True, True]
    days = 20
    for interval, a_day in (("15m", 96), ("1h", 24)):
        for symbol in CANDLES["symbols"]:
            stored = database.historical_data.count_documents({"symbol": symbol, "interval": interval})
            assert stored == days * a_day
    (report,) = database.job_reports.find()
    assert report["rows"] == 2 * days * (96 + 24)
