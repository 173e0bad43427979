from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cryptobot.market import topics
from cryptobot.market.instant import from_ms
from cryptobot.settings import Settings
from cryptobot.storage import health, live
from cryptobot.storage.collections import STREAMING_DATA
from streaming.documents import document, wrap
from streaming.watch import consumer_lag, fresh_heartbeat, fresh_message, stream_health
from tests.servers import wait_until
from tests.streaming.conftest import Starter
from tests.streaming.feed import RECEIVED_MS, START_MS, Feed, kline, ticker, trade
from tests.streaming.test_live_path import Documents, await_trades, publish

SENSOR = """
import asyncio, json, sys
from airflow.providers.apache.kafka.triggers.await_message import AwaitMessageTrigger
from airflow.providers.apache.kafka.sensors.kafka import AwaitMessageSensor
from airflow.providers.common.compat.sdk import TaskDeferred

sensor = AwaitMessageSensor(
    task_id="producer_beats",
    kafka_config_id="kafka_watch",
    topics=["streaming.heartbeat"],
    apply_function="streaming.watch.fresh_heartbeat",
    apply_function_kwargs={"service": "producer"},
    poll_timeout=1,
    poll_interval=0.1,
    commit_offset=False,
    timeout=60,
)

async def main():
    try:
        sensor.execute({})
    except TaskDeferred as deferred:
        trigger = deferred.trigger
    async for event in trigger.run():
        print(json.dumps(event.payload))
    await trigger.cleanup()

asyncio.run(asyncio.wait_for(main(), 60))
"""


class Message:
    """A Kafka message as confluent-kafka hands it over."""

    def __init__(self, value: bytes | None, age_s: float = 0) -> None:
        self._value = value
        self._at = int((time.time() - age_s) * 1000)

    def value(self) -> bytes | None:
        return self._value

    def timestamp(self) -> tuple[int, int]:
        return 1, self._at


class TestFreshMessage:
    def test_returns_the_object_of_a_fresh_message(self) -> None:
        assert fresh_message(Message(b'{"a":1}', age_s=59)) == {"a": 1}

    def test_passes_over_old_messages(self) -> None:
        assert fresh_message(Message(b'{"a":1}', age_s=61)) is None

    def test_passes_over_what_is_no_object(self) -> None:
        assert [fresh_message(Message(value)) for value in (None, b"", b"{", b"[1]")] == [None] * 4


class TestFreshHeartbeat:
    def test_asks_for_the_service_and_for_its_health(self) -> None:
        sound = b'{"service":"sink","problem":null}'
        assert fresh_heartbeat(Message(sound), "sink") == {"service": "sink", "problem": None}
        assert fresh_heartbeat(Message(sound), "producer") is None
        assert fresh_heartbeat(Message(b'{"service":"sink","problem":"no MongoDB"}'), "sink") is None


class TestConsumerLag:
    def test_counts_what_is_not_written_yet(
        self, live_settings: Settings, database: Documents, symbol: str, start: Starter
    ) -> None:
        before = consumer_lag(live_settings)["total"]
        publish(live_settings, [wrap(trade(symbol, n).encode(), RECEIVED_MS) for n in range(50)])
        lag = consumer_lag(live_settings)
        assert lag["total"] == before + 50
        assert lag["topics"][topics.TRADES] >= 50
        with start("sink"):
            await_trades(database, symbol, range(50))
            wait_until(lambda: consumer_lag(live_settings)["total"] == 0, limit=20, what="no lag")


class TestStreamHealth:
    def test_names_what_is_missing(self, live_settings: Settings, database: Documents, symbol: str) -> None:
        found = stream_health(live_settings, database)
        assert not found["healthy"]
        assert [problem.split(";")[0] for problem in found["problems"]] == [
            "no producer reports",
            "no sink reports",
            f"{symbol}: no event was ever stored",
        ]

    def test_is_healthy_when_all_report_and_events_are_fresh(
        self, live_settings: Settings, database: Documents, symbol: str
    ) -> None:
        for service in ("producer", "sink"):
            health.report_health(database, service, "1@host", "healthy", {"problem": None})
        store(database, ticker(symbol, "7"))
        store(database, kline(symbol, 0, closed=True))
        for trade_id in (5, 6, 9):
            store(database, trade(symbol, trade_id))
        found = stream_health(live_settings, database)
        assert found["problems"] == []
        assert found["healthy"]
        assert found["trades"] == {symbol: {"count": 3, "missing": 2}}
        assert found["newest_candles"] == {f"{symbol}|1m": from_ms(START_MS).isoformat()}
        assert 0 <= found["event_age_s"][symbol] < 30
        assert json.loads(json.dumps(found)) == found

    def test_tells_a_stale_symbol_and_a_sick_service(
        self, live_settings: Settings, database: Documents, symbol: str
    ) -> None:
        health.report_health(database, "producer", "1@host", "unhealthy", {"problem": "no event for 40 s"})
        health.report_health(database, "sink", "1@host", "healthy", {"problem": None})
        store(database, ticker(symbol, "7"), age=timedelta(minutes=2))
        problems = stream_health(live_settings, database)["problems"]
        assert problems == ["producer:1@host: no event for 40 s", f"{symbol}: the newest event is 120 s old"]

    def test_ids_stored_at_another_time_are_not_missing(
        self, live_settings: Settings, database: Documents, symbol: str
    ) -> None:
        store(database, trade(symbol, 6), age=timedelta(hours=1))
        for trade_id in (5, 7):
            store(database, trade(symbol, trade_id))
        assert stream_health(live_settings, database)["trades"] == {symbol: {"count": 2, "missing": 0}}


@pytest.mark.slow
class TestSensor:
    def test_the_providers_sensor_sees_the_heartbeat(
        self, live_settings: Settings, feed: Feed, start: Starter, tmp_path: Path
    ) -> None:
        connection = {
            "conn_type": "kafka",
            "extra": {
                "bootstrap.servers": live_settings.kafka_bootstrap,
                "group.id": "airflow-watch",
                "auto.offset.reset": "latest",
                "enable.auto.commit": False,
            },
        }
        with start("producer") as process:
            wait_until(lambda: feed.connected, limit=10, what="the producer")
            sensor = subprocess.run(
                [sys.executable, "-c", SENSOR],
                env={
                    **os.environ,
                    "AIRFLOW_HOME": str(tmp_path),
                    "AIRFLOW_CONN_KAFKA_WATCH": json.dumps(connection),
                },
                capture_output=True,
                text=True,
                timeout=90,
            )
            assert sensor.returncode == 0, sensor.stderr
            beat: dict[str, Any] = json.loads(sensor.stdout.splitlines()[-1])
            assert beat["service"] == "producer"
            assert beat["instance"].startswith(f"{process.pid}@")


def store(database: Documents, frame: str, age: timedelta = timedelta()) -> None:
    """Store what the frame holds as if it had come ``age`` ago."""
    made = document(wrap(frame.encode(), 0))
    assert made is not None
    made["received_at"] = datetime.now(UTC) - age
    if made["kind"] == "ticker":
        live.keep_latest(database, [made])
    else:
        database[STREAMING_DATA].insert_one(made)
