"""Kafka and MongoDB go away under the running services, and come back."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from pydantic import SecretStr

from cryptobot.settings import Settings
from cryptobot.storage.database import connect
from infra.local import kafka, mongod
from tests.servers import free_port, running, wait_until
from tests.streaming.conftest import Starter, starter
from tests.streaming.feed import Feed, trade
from tests.streaming.test_live_path import Documents, await_trades

Process = subprocess.Popen[bytes]


def broker(folder: Path, port: int) -> AbstractContextManager[Process]:
    """Run a broker of the test's own; a second time, on the files of the first."""

    def ready() -> bool:
        KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}", bootstrap_timeout_ms=1_000).close()
        return True

    return running(kafka.command(folder), ready=ready, log=folder / "log")


@contextmanager
def database_server(folder: Path, port: int) -> Iterator[Process]:
    """Run a mongod of the test's own; a second time, on the files of the first."""
    (folder / "data").mkdir(exist_ok=True, parents=True)
    with running(
        mongod.command(port, folder / "data", cache_gb=0.25),
        ready=lambda: mongod.initiate(port),
        log=folder / "log",
    ) as process:
        yield process


def send(feed: Feed, symbol: str, ids: range) -> None:
    feed.send(*[trade(symbol, trade_id) for trade_id in ids])


@pytest.mark.slow
class TestOutages:
    def test_kafka_absent_at_start_then_killed_then_back(
        self, live_settings: Settings, database: Documents, feed: Feed, symbol: str, tmp_path: Path
    ) -> None:
        port = free_port()
        kafka.configure(tmp_path / "kafka", port, free_port())
        settings = live_settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{port}"})
        start = starter(settings, tmp_path)
        with start("producer") as producer, start("sink") as sink:
            wait_until(lambda: feed.connected, limit=10, what="the producer")
            send(feed, symbol, range(1_000))
            with broker(tmp_path / "kafka", port) as server:
                await_trades(database, symbol, range(1_000))
                server.kill()
                server.wait(5)
            send(feed, symbol, range(1_000, 2_000))
            wait_until(
                lambda: database.service_health.find_one({"service": "producer", "state": "unhealthy"}),
                limit=30,
                what="the producer's report that Kafka is away",
            )
            with broker(tmp_path / "kafka", port):
                send(feed, symbol, range(2_000, 3_000))
                await_trades(database, symbol, range(3_000))
                assert (producer.poll(), sink.poll()) == (None, None)

    def test_mongodb_killed_then_back(
        self, live_settings: Settings, feed: Feed, symbol: str, tmp_path: Path
    ) -> None:
        port = free_port()
        folder = tmp_path / "mongod"
        settings = live_settings.model_copy(update={"mongo_uri": SecretStr(mongod.uri(port))})
        start: Starter = starter(settings, tmp_path)
        with start("producer"), start("sink") as sink:
            wait_until(lambda: feed.connected, limit=10, what="the producer")
            send(feed, symbol, range(1_000))
            with database_server(folder, port) as server:
                with connect(settings).client as client:
                    await_trades(client[settings.mongo_database], symbol, range(1_000))
                server.kill()
                server.wait(5)
            send(feed, symbol, range(1_000, 2_000))
            with database_server(folder, port), connect(settings).client as client:
                await_trades(client[settings.mongo_database], symbol, range(2_000))
                assert sink.poll() is None

    def test_mongodb_frozen_then_back(
        self, live_settings: Settings, feed: Feed, symbol: str, tmp_path: Path
    ) -> None:
        port = free_port()
        settings = live_settings.model_copy(update={"mongo_uri": SecretStr(mongod.uri(port))})
        start: Starter = starter(settings, tmp_path)
        with database_server(tmp_path / "mongod", port) as server, connect(settings).client as client:
            database = client[settings.mongo_database]
            with start("producer"), start("sink") as sink:
                wait_until(lambda: feed.connected, limit=10, what="the producer")
                send(feed, symbol, range(1_000))
                await_trades(database, symbol, range(1_000))
                (log,) = tmp_path.glob("sink-*.log")
                server.send_signal(signal.SIGSTOP)
                try:
                    send(feed, symbol, range(1_000, 2_000))
                    wait_until(
                        lambda: "MongoDB does not take a batch" in log.read_text(),
                        limit=20,
                        what="the sink's word that MongoDB is away",
                    )
                finally:
                    server.send_signal(signal.SIGCONT)
                await_trades(database, symbol, range(2_000))
                assert sink.poll() is None
