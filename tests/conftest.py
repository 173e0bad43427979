"""Servers shared by all tests, and the data they may read."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.database import Database

from cryptobot.market.topics import PARTITIONS
from cryptobot.settings import ROOT, Settings
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import connect
from infra.local import kafka, mongod
from tests.servers import free_port, running

SHARED_DATA = Path(os.environ.get("CRYPTOBOT_SHARED_DATA", ROOT.parent / "shared" / "data"))
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made below it
FAST_BYTES = 4 * 2**30


def pytest_configure() -> None:
    """Let a SIGTERM end the tests as Ctrl-C does: what they started is stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recorded market data beside the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is absent: the recorded market data is not kept here (2026-11-22)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def fast_folder() -> Iterator[Path]:
    """A folder in memory where there is room: every test makes all collections, each a sync to a disk."""
    room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > FAST_BYTES
    with tempfile.TemporaryDirectory(prefix="cryptobot-tests-", dir=MEMORY if room else None) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def mongo_uri(fast_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real mongod, a replica set of one, for the whole session."""
    folder, data = tmp_path_factory.mktemp("mongod"), fast_folder / "mongod"
    data.mkdir()
    port = free_port()
    # What has expired goes at once instead of once a minute: no test may live on it by chance.
    expire = ("--setParameter", "ttlMonitorSleepSecs=1")
    with running(
        [*mongod.command(port, data, cache_gb=0.25), *expire],
        ready=lambda: mongod.initiate(port),
        log=folder / "log",
    ):
        yield mongod.uri(port)


@pytest.fixture
def app_settings(mongo_uri: str) -> Iterator[Settings]:
    """Settings of a database of the test's own, dropped when the test ends."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield Settings(_env_file=None, mongo_uri=SecretStr(mongo_uri), mongo_database=name)
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        client.drop_database(name)


@pytest.fixture
def database(app_settings: Settings) -> Iterator[Database[dict[str, Any]]]:
    """A database of the test's own, with all collections in place."""
    made = connect(app_settings)
    ensure_collections(made)
    yield made
    made.client.close()


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real Kafka broker (KRaft) that holds the product's topics."""
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic

    folder = tmp_path_factory.mktemp("kafka")
    port = free_port()
    kafka.configure(folder, port, free_port())
    bootstrap = f"127.0.0.1:{port}"

    def ready() -> bool:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=1_000)
        try:
            admin.create_topics([NewTopic(name, parts, 1) for name, parts in PARTITIONS.items()])
            return True
        finally:
            admin.close()

    with running(kafka.command(folder), ready=ready, log=folder / "log"):
        yield bootstrap
