"""Swaps of models under load, on real workers: no request fails, each answer is one version's."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import SecretStr
from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.serving.deployment import DeploymentError, await_deployment
from cryptobot.settings import Settings
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import connect
from cryptobot.storage.health import live_instances
from infra.local import mongod
from tests.api.candles import candles
from tests.api.load import Load
from tests.api.workers import BODIES, Oracle, connection, served_versions, workers
from tests.servers import free_port, running, wait_until
from tests.serving.bad_bundles import BAD
from tests.serving.bundles import forest
from tests.serving.models import add_model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Db = Database[dict[str, Any]]

SWAPS, EACH_BAD = 200, 10
LONGEST_S = 10
"""No request may wait so long, whatever else the machine does; clients give up after twenty."""
KILLS = 2


@pytest.fixture
def oracle() -> Oracle:
    return Oracle()


def store_candles(database: Db) -> None:
    database.historical_data.insert_many([*candles("BTCUSDT", count=120), *candles("ETHUSDT", count=120)])


def promote(database: Db, oracle: Oracle, seed: int) -> str:
    """Make another model champion, which may answer from this moment on."""
    version = add_model(database, seed)
    oracle.expect(version, forest(seed % 5))
    registry.promote(database, "BTCUSDT", version, "a test")
    return version


def begin(database: Db, oracle: Oracle, settings: Settings) -> str:
    """Wait until both workers serve a first champion; return its version."""
    first = promote(database, oracle, 0)
    wait_until(lambda: served_versions(database) == [first] * 2, limit=60, what="both workers")
    return first


@contextmanager
def asking(settings: Settings, oracle: Oracle) -> Iterator[Load]:
    with Load(lambda: connection(settings), BODIES, oracle.fault) as load:
        yield load


def test_200_swaps_with_20_bad_bundles_fail_no_request(
    served: Settings, database: Db, oracle: Oracle, tmp_path: Path
) -> None:
    store_candles(database)
    limited = served.model_copy(update={"bundle_load_seconds": 1})
    with workers(limited, tmp_path / "log"):
        good = begin(database, oracle, served)
        ways, refused, promoted = list(BAD.values()), [], [good]
        with asking(served, oracle) as load:
            for number in range(1, SWAPS + 1):
                if number % EACH_BAD:
                    good = promote(database, oracle, number)
                    assert await_deployment(database, served) == {"BTCUSDT": good}
                    promoted.append(good)
                else:
                    add, words = ways[number // EACH_BAD % len(ways)]
                    refused.append(add(database, number))
                    registry.promote(database, "BTCUSDT", refused[-1], "a test")
                    with pytest.raises(DeploymentError, match=f"({words}).*rolled back to {good}"):
                        await_deployment(database, served)
        assert load.faults == []
        assert load.broken == 0
        assert load.answered > 10 * SWAPS
        assert oracle.answered == set(promoted), "every good version has answered, no bad one"
    assert len(refused) == SWAPS // EACH_BAD == 20
    quarantined = database.models.distinct("_id", {"state": "quarantined"})
    assert sorted(quarantined) == sorted(refused)
    alerts = [alert["_id"] for alert in database.alerts.find({"kind": "model_refused"})]
    assert sorted(alerts) == sorted(f"model_refused|{version}" for version in refused), "one alert each"


def test_a_worker_killed_during_a_swap_costs_its_connections_and_no_answer(
    served: Settings, database: Db, oracle: Oracle, tmp_path: Path
) -> None:
    store_candles(database)
    with workers(served, tmp_path / "log"):
        begin(database, oracle, served)
        with asking(served, oracle) as load:
            for number in range(1, KILLS + 1):
                wait_until(lambda seen=load.answered: load.answered > seen + 50, limit=30, what="answers")
                version = promote(database, oracle, number)
                _kill_a_worker_and_await_another(database, version)
            wait_until(lambda: version in oracle.answered, limit=30, what="an answer of the last version")
        assert load.faults == [], "a worker that is new answers nothing before it serves"
        assert load.broken <= KILLS * len(load.clients), "a kill breaks each connection once at most"


def _kill_a_worker_and_await_another(database: Db, version: str) -> None:
    """Kill a worker, and wait until all others and a new one serve ``version``."""
    before = _serving(database).keys()
    os.kill(min(before), signal.SIGKILL)

    def replaced() -> bool:
        serving = _serving(database)
        return len(serving) == len(before) and serving.keys() != before and set(serving.values()) == {version}

    wait_until(replaced, limit=60, what="another worker that serves the new version")


def _serving(database: Db) -> dict[int, str | None]:
    """Return what each worker serves, by its process id; those that were killed have none any more."""
    details = [worker["detail"] for worker in live_instances(database, "api")]
    return {
        detail["pid"]: detail["models"].get("BTCUSDT")
        for detail in details
        if psutil.pid_exists(detail["pid"])
    }


def test_requests_are_answered_while_mongodb_is_silent_and_while_it_is_gone(
    served: Settings, oracle: Oracle, tmp_path: Path
) -> None:
    port, data = free_port(), tmp_path / "data"
    data.mkdir()
    settings = served.model_copy(update={"mongo_uri": SecretStr(mongod.uri(port))})
    database = connect(settings)

    def server() -> Any:
        return running(
            mongod.command(port, data, cache_gb=0.25),
            ready=lambda: mongod.initiate(port),
            log=tmp_path / "mongod.log",
        )

    with workers(settings, tmp_path / "log"):
        with server() as process:
            ensure_collections(database)
            store_candles(database)
            begin(database, oracle, settings)
            with asking(settings, oracle) as load:
                wait_until(lambda: load.answered > 50, limit=30, what="answers")
                os.kill(process.pid, signal.SIGSTOP)
                _answered_for(load, 8)
                os.kill(process.pid, signal.SIGCONT)
                version = promote(database, oracle, 1)
                wait_until(lambda: version in oracle.answered, limit=60, what="a swap after the silence")
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                _answered_for(load, 8)
                with server():
                    version = promote(database, oracle, 2)
                    wait_until(lambda: version in oracle.answered, limit=60, what="a swap after the outage")
        assert load.faults == []
        assert load.broken == 0
        assert max(load.latencies_s) < LONGEST_S
    database.client.close()


def _answered_for(load: Load, seconds: float) -> None:
    """Wait for ``seconds``, throughout which answers must come."""
    over = time.monotonic() + seconds
    while time.monotonic() < over:
        wait_until(lambda seen=load.answered: load.answered > seen, limit=2, what="an answer")
