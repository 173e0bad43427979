"""A Spark program of the product as a process of its own, without any submitter."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from cryptobot.settings import ROOT, Settings
from infra.local.jars import spark_jars


def run_program(command: Sequence[str], settings: Settings, **env: str) -> subprocess.CompletedProcess[str]:
    """Run Python with ``command`` on local Spark and the settings' database; return how it ended."""
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=280,
        cwd=ROOT,
        env={
            **os.environ,
            "PYSPARK_PYTHON": sys.executable,
            "CRYPTOBOT_ENV_FILE": os.devnull,
            "CRYPTOBOT_MONGO_URI": settings.mongo_uri.get_secret_value(),
            "CRYPTOBOT_MONGO_DATABASE": settings.mongo_database,
            "CRYPTOBOT_SPARK_JARS": ",".join(map(str, spark_jars())),
            **env,
        },
    )
