"""The API as it runs: two workers behind one port, on a real mongod."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.serving.access import issue_token
from cryptobot.serving.deployment import DeploymentError, await_deployment
from cryptobot.settings import Settings
from cryptobot.storage.health import live_instances
from tests.api.candles import candles
from tests.servers import free_port, running, wait_until
from tests.serving.models import promote_model

Db = Database[dict[str, Any]]


@pytest.fixture
def served(api_settings: Settings) -> Settings:
    port = free_port()
    return api_settings.model_copy(update={"api_port": port, "api_url": f"http://127.0.0.1:{port}"})


@contextmanager
def workers(settings: Settings, log: Path, **environment: str) -> Iterator[int]:
    """Run the API with two workers; the value is the process id of their supervisor."""
    env = {
        "CRYPTOBOT_ENV_FILE": os.devnull,
        "CRYPTOBOT_MONGO_URI": settings.mongo_uri.get_secret_value(),
        "CRYPTOBOT_MONGO_DATABASE": settings.mongo_database,
        "CRYPTOBOT_API_PORT": str(settings.api_port),
        "CRYPTOBOT_TOKEN_KEY": settings.token_key.get_secret_value(),
        "CRYPTOBOT_BUNDLE_KEY": settings.bundle_key.get_secret_value(),
        "CRYPTOBOT_ADMIN_PASSWORD": settings.admin_password.get_secret_value(),
        "CRYPTOBOT_DOCS_DIR": str(settings.docs_dir),
        **environment,
    }
    with running(
        [sys.executable, "-m", "api.cli"],
        ready=lambda: httpx.get(f"{settings.api_url}/livez").status_code == 200,
        log=log,
        env=env,
    ) as process:
        yield process.pid


def served_versions(database: Db) -> list[str | None]:
    """Return what each live worker reports to serve for BTCUSDT."""
    return [report["detail"]["models"].get("BTCUSDT") for report in live_instances(database, "api")]


def store_candles(database: Db) -> None:
    database.historical_data.insert_many([*candles("BTCUSDT", count=120), *candles("ETHUSDT", count=120)])


class Load:
    """Requests without a pause until stopped, and what they were answered."""

    def __init__(self, settings: Settings, clients: int = 2) -> None:
        self.failures: list[str] = []
        self.versions: dict[str, set[str]] = {}
        self.answered = 0
        self._settings = settings
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(20)

    def await_answer(self, version: str) -> None:
        """Return once ``version`` has answered a request."""
        wait_until(lambda: version in self.versions, limit=30, what=f"an answer of {version}")

    def _ask(self) -> None:
        token = issue_token(self._settings, "load", {"read"})
        with httpx.Client(base_url=self._settings.api_url, headers={"Authorization": f"Bearer {token}"}) as c:
            while not self._ending.is_set():
                try:
                    response = c.post("/v1/predictions", json={"symbol": "BTCUSDT"})
                    answer = response.raise_for_status().json()
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    continue
                self.answered += 1
                probabilities = json.dumps(answer["probabilities"])
                self.versions.setdefault(answer["model_version"], set()).add(probabilities)


def test_swaps_under_load_fail_no_request_and_a_bad_bundle_is_rolled_back(
    served: Settings, database: Db, tmp_path: Path
) -> None:
    store_candles(database)
    good = promote_model(database, 0)
    with workers(served, tmp_path / "log"):
        assert await_deployment(database, served, limit_s=60) == {"BTCUSDT": good}
        wait_until(lambda: served_versions(database) == [good, good], limit=60, what="both workers")
        with Load(served) as load:
            load.await_answer(good)
            for seed in range(1, 9):
                bad = seed % 4 == 0
                version = promote_model(database, seed, tamper=bad)
                if bad:
                    with pytest.raises(DeploymentError, match=f"signature.*rolled back to {good}"):
                        await_deployment(database, served, limit_s=60)
                    assert registry.model(database, version)["state"] == "quarantined"
                else:
                    assert await_deployment(database, served, limit_s=60) == {"BTCUSDT": version}
                    load.await_answer(version)
                    good = version
        assert load.failures == []
        assert load.answered > 50
        assert len(load.versions) == 7, "every good version answered, no bad one"
        assert all(len(answers) == 1 for answers in load.versions.values()), "one version, one answer"


def test_a_killed_worker_comes_back_and_serves(served: Settings, database: Db, tmp_path: Path) -> None:
    store_candles(database)
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
        with Load(served) as load:
            wait_until(lambda: load.answered > 20, limit=60, what="answers")
        assert load.failures == []
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


def test_a_deployment_that_no_worker_takes_is_rolled_back(served: Settings, database: Db) -> None:
    first, second = promote_model(database, 0), promote_model(database, 1)
    with pytest.raises(DeploymentError, match=f"no API worker is alive; rolled back to {first}"):
        await_deployment(database, served, {"BTCUSDT": second}, limit_s=0.2)
    pointer = registry.champion(database, "BTCUSDT")
    assert pointer is not None
    assert pointer["version"] == first
