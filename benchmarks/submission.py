"""A Spark job as Airflow submits it: the command and the environment of its driver."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pyspark

from cryptobot.settings import ROOT, Settings
from cryptobot.spark.submission import JAVA_OPTIONS, PROPERTIES
from infra.local.jars import spark_jars


def submission(
    settings: Settings, java_options: str, job: str, *arguments: str
) -> tuple[list[str], dict[str, str]]:
    """Return the command that submits ``job`` to all cores of this machine, and its environment."""
    command = [
        str(Path(pyspark.__path__[0]) / "bin" / "spark-submit"), "--master", "local[*]",
        "--properties-file", str(PROPERTIES), "--conf", f"{JAVA_OPTIONS}={java_options}",
        "--jars", ",".join(map(str, spark_jars())),
        str(ROOT / "spark_jobs" / f"{job}.py"), *arguments,
    ]  # fmt: skip
    environment = {
        **os.environ,
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "CRYPTOBOT_ENV_FILE": os.devnull,
        "CRYPTOBOT_MONGO_URI": settings.mongo_uri.get_secret_value(),
        "CRYPTOBOT_MONGO_DATABASE": settings.mongo_database,
    }
    return command, environment
