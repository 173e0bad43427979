"""Airflow's own scheduler starts what is made of several assets: by any of them, and once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cryptobot.settings import ROOT, Settings
from infra.local import airflow_environment


def runs(tmp_path: Path, settings: Settings, rounds: list[list[tuple[str, str]]]) -> Any:
    """Return by round the runs that a scheduler with a database of its own makes of announced assets."""
    environment = {
        **os.environ,
        **airflow_environment.connections(settings),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(airflow_environment.DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "CRYPTOBOT_ENV_FILE": "/dev/null",
        "PYTHONPATH": str(ROOT),
    }
    program = str(Path(__file__).with_name("run_scheduler.py"))
    done = subprocess.run(
        [sys.executable, program, json.dumps(rounds)],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_features_drift_or_age_start_one_training(tmp_path: Path, app_settings: Settings) -> None:
    features = [["features", "2025-10-29"], ["features", "2025-10-30"]]
    drifted, aged = ["drift_detected", "drift|manual__1"], ["models_aged", "drift|manual__1"]
    found = runs(tmp_path, app_settings, [[drifted], [aged], [*features, drifted], [["signals", "latest"]]])
    assert found == [
        [["models", [drifted]]],
        [["models", [aged]]],
        [["drift", features], ["models", [drifted, *features]]],
        [["drift", [["signals", "latest"]]]],
    ]
