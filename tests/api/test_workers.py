"""The API as it runs: two workers behind one port, on a real mongod."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.serving.deployment import DeploymentError, await_deployment
from cryptobot.settings import Settings
from cryptobot.storage.health import live_instances
from tests.api.load import Load
from tests.api.workers import BODIES, Oracle, connection, served_versions, workers
from tests.servers import wait_until
from tests.serving.bundles import forest
from tests.serving.models import promote_model

Db = Database[dict[str, Any]]


def test_a_killed_worker_comes_back_and_serves(served: Settings, database: Db, tmp_path: Path) -> None:
    version = promote_model(database, 0)
    with workers(served, tmp_path / "log"):
        wait_until(lambda: served_versions(database) == [version, version], limit=60, what="both workers")
        before = {report["detail"]["pid"] for report in live_instances(database, "api")}
        killed = before.pop()
        os.kill(killed, signal.SIGKILL)

        def replaced() -> bool:
            serving = {
                report["detail"]["pid"]
                for report in live_instances(database, "api")
                if report["detail"]["models"] == {"BTCUSDT": version}
            }
            return bool(serving - before - {killed})

        wait_until(replaced, limit=60, what="another worker")
        oracle = Oracle()
        oracle.expect(version, forest(0))
        with Load(lambda: connection(served), BODIES[:1], oracle.fault) as load:
            wait_until(lambda: load.answered > 20, limit=60, what="answers")
        assert load.faults == []
        assert load.broken == 0
        metrics = httpx.get(f"{served.api_url}/metrics").text
        assert 'path="/v1/predictions",status="200"' in metrics
    assert [w for w in live_instances(database, "api") if w["detail"]["pid"] != killed] == []
    log = (tmp_path / "log").read_text()
    for secret in (served.admin_password, served.token_key, served.bundle_key):
        assert secret.get_secret_value() not in log
    assert all(json.loads(line) for line in log.splitlines())


def test_the_end_of_a_single_worker_leaves_no_file_behind(served: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    with workers(served, tmp_path / "log", TMPDIR=str(folder), CRYPTOBOT_API_WORKERS="1"):
        assert len(list(folder.glob("cryptobot-metrics-*"))) == 1
    assert list(folder.glob("cryptobot-*")) == []


def test_a_deployment_that_no_worker_is_there_for_is_not_rolled_back(served: Settings, database: Db) -> None:
    _, second = promote_model(database, 0), promote_model(database, 1)
    told = f"{second} is not deployed: no API worker is alive; it was not rolled back"
    with pytest.raises(DeploymentError, match=told):
        await_deployment(database, served, {"BTCUSDT": second}, limit_s=0.2)
    pointer = registry.champion(database, "BTCUSDT")
    assert pointer is not None
    assert pointer["version"] == second
