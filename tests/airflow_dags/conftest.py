"""An Airflow home of the tests' own, in place before Airflow is first imported."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.database import Database

from cryptobot.settings import ROOT, Settings
from infra.local.airflow_environment import connections

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

DAGS = ROOT / "airflow" / "dags"


@pytest.fixture(scope="session")
def dag_bag() -> Iterator[DagBag]:
    """Every DAG of the repository, parsed as the DAG processor does."""
    home = tempfile.TemporaryDirectory(prefix="airflow-")
    os.environ["AIRFLOW_HOME"] = home.name
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(DAGS)
    os.environ["AIRFLOW_CONN_SPARK_DEFAULT"] = json.dumps({"conn_type": "spark", "host": "local[*]"})
    sys.path.insert(0, str(DAGS))
    from airflow.dag_processing.dagbag import DagBag

    yield DagBag(DAGS)
    sys.path.remove(str(DAGS))
    home.cleanup()


@pytest.fixture
def product(
    dag_bag: DagBag,
    app_settings: Settings,
    database: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> Database[dict[str, Any]]:
    """The database that tasks reach through Airflow's connection, as in the product."""
    for name, value in connections(app_settings).items():
        monkeypatch.setenv(name, value)
    return database
