"""The notifier: alerts to Kafka and to real HTTP targets, through kills and outages."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
from pydantic import SecretStr
from pymongo.database import Database

from cryptobot.alert_settings import Target
from cryptobot.decisions.alerts import Alert, raise_alert
from cryptobot.market import topics
from cryptobot.settings import Settings
from cryptobot.storage.collections import ALERTS, OUTBOX_POSITIONS, ensure_collections
from cryptobot.storage.database import connect
from infra.local import kafka, mongod
from streaming.broker import Publisher
from streaming.notifier import Notifier
from tests.servers import free_port, wait_until
from tests.streaming.conftest import Starter, starter
from tests.streaming.test_outages import broker, database_server
from tests.webhook import SECRET, Behaviour, Webhook, webhook

Db = Database[dict[str, Any]]
TOPIC = "topic:alerts"


def raised(database: Db, *keys: str, ago: timedelta = timedelta()) -> None:
    first = datetime.now(UTC) - ago
    for number, key in enumerate(keys):  # a millisecond apart, for an order: MongoDB keeps no finer
        now = first + timedelta(milliseconds=number)
        assert raise_alert(database, Alert("price_move", key, "info", "BTCUSDT", key, "text", now), now)


def states(database: Db, key: str) -> dict[str, str]:
    found = database[ALERTS].find_one({"_id": key})
    assert found is not None
    return {name: each["state"] for name, each in found["deliveries"].items()}


def all_delivered(database: Db, limit: float = 20) -> None:
    wait_until(
        lambda: not database[ALERTS].count_documents({"delivered": False}), limit=limit, what="deliveries"
    )


def published(settings: Settings, keys: set[str]) -> list[str]:
    """Return the keys of the topic's messages that are among ``keys``, in their order."""
    with KafkaConsumer(
        topics.ALERTS,
        bootstrap_servers=settings.kafka_bootstrap,
        auto_offset_reset="earliest",
        consumer_timeout_ms=2_000,
    ) as consumer:
        found = [json.loads(message.value) | {"key": message.key.decode()} for message in consumer]
    assert all(message["_id"] == message["key"] for message in found)
    return [message["key"] for message in found if message["key"] in keys]


@contextmanager
def targets(**behaviours: Behaviour) -> Iterator[dict[str, Webhook]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(webhook(how)) for name, how in behaviours.items()}


def with_targets(settings: Settings, made: dict[str, Webhook]) -> Settings:
    named = {name: Target.model_validate(hook.url) for name, hook in made.items()}
    return settings.model_copy(update={"alert_targets": named})


def test_a_kill_between_loses_nothing_and_repeats_no_delivery(
    live_settings: Settings, database: Db, symbol: str, tmp_path: Path
) -> None:
    first, second, old = f"{symbol}-1", f"{symbol}-2", f"{symbol}-old"
    with targets(good="good", failing="failing", hanging="hanging") as made:
        start: Starter = starter(with_targets(live_settings, made), tmp_path)
        with start("notifier") as process:
            raised(database, first)
            wait_until(lambda: made["good"].titles == [f"INFO: {first}"], limit=10, what="the good target")
            wait_until(lambda: made["failing"].refused, limit=5, what="an attempt")
            wait_until(lambda: states(database, first).get("good") == "sent", limit=5, what="its record")
            wait_until(lambda: states(database, first).get(TOPIC) == "sent", limit=5, what="Kafka's record")
            process.send_signal(signal.SIGKILL)
            process.wait(5)
        raised(database, second)
        raised(database, old, ago=timedelta(hours=7))
        made["failing"].behaviour = "good"
        with start("notifier") as process:
            wait_until(lambda: len(made["good"].taken) == 2, limit=10, what="the good target")
            wait_until(lambda: len(made["failing"].taken) == 2, limit=10, what="the target that works again")
            wait_until(lambda: made["hanging"].hanging >= 2, limit=10, what="the hanging target")
            wait_until(lambda: states(database, second).get(TOPIC) == "sent", limit=10, what="Kafka's record")
            process.send_signal(signal.SIGTERM)
            assert process.wait(6) == 0
        assert made["good"].titles == [f"INFO: {first}", f"INFO: {second}"]
        assert sorted(made["failing"].titles) == [f"INFO: {first}", f"INFO: {second}"]
        assert states(database, first) | {"hanging": ""} == dict.fromkeys(
            ["good", "failing", TOPIC], "sent"
        ) | {"hanging": ""}
        assert states(database, old) | {"hanging": ""} == {
            "good": "failed", "failing": "failed", TOPIC: "sent", "hanging": ""
        }  # fmt: skip
        assert published(live_settings, {first, second, old}) == [first, old, second]
        logs = "".join(log.read_text() for log in tmp_path.glob("notifier-*.log"))
        assert SECRET not in logs
        assert "to good, failing, hanging" in logs


@pytest.fixture
def notifier(live_settings: Settings) -> Iterator[Notifier]:
    """A notifier without targets within this process."""
    stop = threading.Event()
    publisher = Publisher(live_settings.kafka_bootstrap)
    made = Notifier(live_settings, publisher, stop)
    made.start()
    yield made
    stop.set()
    made.join(5)
    assert not made.is_alive()
    publisher.close(timeout_s=2)


def test_the_place_in_the_stream_is_kept_and_a_lost_one_is_survived(
    live_settings: Settings, database: Db, symbol: str
) -> None:
    invalid = {"_data": "8263"}
    database[OUTBOX_POSITIONS].insert_one({"_id": "notifier", "token": invalid})
    raised(database, f"{symbol}-before")
    stop = threading.Event()
    publisher = Publisher(live_settings.kafka_bootstrap)
    made = Notifier(live_settings, publisher, stop)
    made.start()
    all_delivered(database)
    raised(database, f"{symbol}-after")
    all_delivered(database)
    kept = wait_until(lambda: database[OUTBOX_POSITIONS].find_one(), limit=15, what="a place")
    assert kept["token"] != invalid
    database[ALERTS].drop()
    ensure_collections(database)
    raised(database, f"{symbol}-anew")
    all_delivered(database)
    stop.set()
    made.join(5)
    publisher.close(timeout_s=2)
    assert made.sample().messages == 3


def test_without_targets_alerts_still_reach_the_topic(
    notifier: Notifier, live_settings: Settings, database: Db, symbol: str
) -> None:
    keys = [f"{symbol}-{number}" for number in range(20)]
    raised(database, *keys)
    all_delivered(database)
    assert published(live_settings, set(keys)) == keys
    wait_until(lambda: database[OUTBOX_POSITIONS].find_one(), limit=15, what="a look at the undelivered")
    raised(database, f"{symbol}-new")
    all_delivered(database, limit=8)  # by the stream: the next look is ten seconds away
    wait_until(lambda: notifier.sample().messages == 21, limit=5, what="the count")
    assert notifier.sample().problem is None


@pytest.mark.slow
def test_mongodb_and_kafka_go_away_and_come_back(
    live_settings: Settings, symbol: str, tmp_path: Path
) -> None:
    kafka_port, mongo_port = free_port(), free_port()
    kafka.configure(tmp_path / "kafka", kafka_port, free_port())
    folder = tmp_path / "mongod"
    with targets(good="good") as made:
        settings = with_targets(live_settings, made).model_copy(
            update={
                "mongo_uri": SecretStr(mongod.uri(mongo_port)),
                "kafka_bootstrap": f"127.0.0.1:{kafka_port}",
            }
        )
        database = connect(settings)
        with starter(settings, tmp_path)("notifier") as process, database.client:
            with database_server(folder, mongo_port) as server:
                ensure_collections(database)
                raised(database, f"{symbol}-1")
                wait_until(lambda: len(made["good"].taken) == 1, limit=20, what="delivery without Kafka")
                with broker(tmp_path / "kafka", kafka_port):
                    all_delivered(database, limit=30)
                server.kill()
                server.wait(5)
            with database_server(folder, mongo_port) as server, broker(tmp_path / "kafka", kafka_port):
                raised(database, f"{symbol}-2")
                wait_until(lambda: len(made["good"].taken) == 2, limit=30, what="delivery after the outage")
                all_delivered(database, limit=30)
                assert published(settings, {f"{symbol}-1", f"{symbol}-2"}) == [f"{symbol}-1", f"{symbol}-2"]
                server.send_signal(signal.SIGSTOP)
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0, "a stop while MongoDB hangs"
                server.send_signal(signal.SIGCONT)
