"""Airflow's configuration for a local run, as environment variables."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from cryptobot.settings import ROOT, Settings
from cryptobot.storage.live_health import DAEMONS
from infra.local import postgres
from infra.local.layout import Layout

DAGS = ROOT / "airflow" / "dags"

WATCHED = ("trades", "klines", "tickers", *DAEMONS)
"""Topics and daemons that sensors wait for at the same time: each by a consumer group, and so by a
connection, of its own."""


def variables(settings: Settings, layout: Layout, secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the ``AIRFLOW_*`` variables of all four components and of the tasks they run."""
    home = layout.airflow
    sections: dict[str, dict[str, object]] = {
        "CORE": {
            "DAGS_FOLDER": DAGS,
            "EXECUTOR": "LocalExecutor",
            "PARALLELISM": 4,
            "LOAD_EXAMPLES": False,
            "DAGS_ARE_PAUSED_AT_CREATION": False,
            "AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "FERNET_KEY": secrets["CRYPTOBOT_AIRFLOW_FERNET_KEY"],
            "EXECUTION_API_SERVER_URL": f"{settings.airflow_url}/execution/",
        },
        "DATABASE": {
            "SQL_ALCHEMY_CONN": postgres.uri(layout.sockets),
            # The migration runs before any component starts, so none of them needs to look again.
            "CHECK_MIGRATIONS": False,
        },
        "LOGGING": {"BASE_LOG_FOLDER": layout.task_logs, "COLORED_CONSOLE_LOG": False},
        "API": {
            "HOST": "127.0.0.1",
            "PORT": settings.airflow_port,
            "BASE_URL": settings.airflow_url,
            "WORKERS": 1,
            "SECRET_KEY": secrets["CRYPTOBOT_AIRFLOW_SECRET_KEY"],
            "INSTANCE_NAME": "CryptoBot",
        },
        "API_AUTH": {"JWT_SECRET": secrets["CRYPTOBOT_AIRFLOW_JWT_SECRET"]},
        "SCHEDULER": {
            "SCHEDULER_IDLE_SLEEP_TIME": 2,
            # A task whose worker was killed is noticed, and tried again, within this time.
            "TASK_INSTANCE_HEARTBEAT_TIMEOUT": 60,
            "ORPHANED_TASKS_CHECK_INTERVAL": 60,
        },
        "DAG_PROCESSOR": {
            "DAG_BUNDLE_STORAGE_PATH": home / "bundles",
            "PARSING_PROCESSES": 1,
            "MIN_FILE_PROCESS_INTERVAL": 120,
            "REFRESH_INTERVAL": 30,
            "DAG_FILE_PROCESSOR_TIMEOUT": 120,
        },
        "USAGE_DATA_COLLECTION": {"ENABLED": False},
    }
    configured = {
        f"AIRFLOW__{section}__{name}": str(value)
        for section, options in sections.items()
        for name, value in options.items()
    }
    return {"AIRFLOW_HOME": str(home), **configured, **connections(settings)}


def connections(settings: Settings) -> dict[str, str]:
    """Return Airflow's connections to Spark, MongoDB and Kafka."""
    described: dict[str, dict[str, object]] = {
        "SPARK_DEFAULT": {"conn_type": "spark", "host": "local[*]"},
        "MONGO_DEFAULT": _mongo(settings.mongo_uri.get_secret_value(), settings.mongo_database),
        "KAFKA_DEFAULT": _kafka(settings.kafka_bootstrap, "airflow"),
        **{
            f"KAFKA_WATCH_{watched.upper()}": _kafka(settings.kafka_bootstrap, f"airflow-{watched}")
            for watched in WATCHED
        },
    }
    return {f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in described.items()}


def _kafka(bootstrap: str, group: str) -> dict[str, object]:
    return {
        "conn_type": "kafka",
        "extra": {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            # A sensor asks for what comes now, and leaves no trace: it watches, it does not consume.
            "auto.offset.reset": "latest",
            "enable.auto.commit": False,
        },
    }


def _mongo(uri: str, database: str) -> dict[str, object]:
    address = urlsplit(uri)
    options = {**dict(parse_qsl(address.query)), "tz_aware": True}
    connection: dict[str, object] = {
        "conn_type": "mongo",
        "host": address.netloc.rpartition("@")[2],
        "schema": database,
        "extra": options,
    }
    if address.username:
        connection |= {"login": address.username, "password": address.password or ""}
        # A database in the URI is where the log-in is checked; the provider puts its own there.
        connection["extra"] = {
            "authSource": address.path.strip("/") or "admin",
            **options,
        }
    return connection


def task_variables(jars: Iterable[Path]) -> dict[str, str]:
    """Return what tasks need beside Airflow's own configuration: Python, Spark, its jars."""
    import pyspark

    return {
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_HOME": str(Path(pyspark.__path__[0])),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "CRYPTOBOT_SPARK_JARS": ",".join(str(jar) for jar in jars),
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
    }
