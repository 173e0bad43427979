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
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.settings import Settings
from cryptobot.storage import health, live
from cryptobot.storage.collections import GAPS, STREAMING_DATA
from cryptobot.storage.live_gaps import LiveGap, record_open
from cryptobot.storage.live_health import (
    DAEMON_IS_SILENT,
    DAEMONS,
    DEAD_LETTERS_ARRIVED,
    EVENTS_ARE_OLD,
    GAPS_STAY_OPEN,
    KAFKA_IS_AWAY,
    TRADES_ARE_MISSING,
)
from infra.local.airflow_environment import connections
from streaming.documents import document, wrap
from streaming.kafka_watch import consumer_lag, dead_letters_since
from streaming.watch import fresh_heartbeat, fresh_message, look
from tests.servers import free_port, wait_until
from tests.streaming.conftest import Starter
from tests.streaming.feed import RECEIVED_MS, START_MS, Feed, kline, ticker, trade
from tests.streaming.test_live_path import Documents, await_trades, publish

TRIGGERS = """
import asyncio, json, sys
from streaming.await_message import AwaitMessageInTime

def waiting_for(service, connection, within_s):
    return AwaitMessageInTime(
        topics=["streaming.heartbeat"],
        apply_function="streaming.watch.fresh_heartbeat",
        apply_function_kwargs={"service": service},
        kafka_config_id=connection,
        within_s=within_s,
    )

async def told(trigger):
    path, kwargs = trigger.serialize()
    trigger = AwaitMessageInTime(**kwargs)
    try:
        return [event.model_dump() async for event in trigger.run()]
    finally:
        await trigger.cleanup()

async def main():
    print(json.dumps(await asyncio.gather(
        told(waiting_for("producer", "kafka_watch_producer", 30)),
        told(waiting_for("notifier", "kafka_watch_notifier", 12)),
        told(waiting_for("sink", "kafka_away", 5)),
    )))

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
        assert lag["late"] == 0
        with start("sink"):
            await_trades(database, symbol, range(50))
            wait_until(lambda: consumer_lag(live_settings)["total"] == 0, limit=20, what="no lag")
        publish(live_settings, [wrap(trade(symbol, n).encode(), RECEIVED_MS) for n in range(50, 60)])
        later = datetime.now(UTC) + timedelta(seconds=1)
        assert consumer_lag(live_settings, before=later)["late"] == 10
        assert consumer_lag(live_settings, before=later - timedelta(minutes=1))["late"] == 0


class TestDeadLetters:
    def test_counts_those_that_are_new(self, live_settings: Settings) -> None:
        before = dead_letters_since(live_settings, datetime.now(UTC) - timedelta(hours=1))
        publish(live_settings, [b"broken"] * 3, topics.DEAD_LETTER)
        assert dead_letters_since(live_settings, datetime.now(UTC) - timedelta(hours=1)) == before + 3
        assert dead_letters_since(live_settings, datetime.now(UTC) + timedelta(minutes=1)) == 0


class TestLook:
    def test_names_what_is_missing(self, live_settings: Settings, database: Documents, symbol: str) -> None:
        found = look(live_settings, database)
        assert [told.split(";")[0] for told in found.findings[DAEMON_IS_SILENT]] == [
            f"no {service} reports" for service in DAEMONS
        ]
        assert found.findings[EVENTS_ARE_OLD] == [f"{symbol}: no event was ever stored"]

    def test_is_content_when_all_report_and_events_are_fresh(
        self, live_settings: Settings, database: Documents, symbol: str
    ) -> None:
        all_report(database)
        store(database, ticker(symbol, "7"))
        store(database, kline(symbol, 0, closed=True))
        for trade_id in (5, 6, 7):
            store(database, trade(symbol, trade_id), age=timedelta(minutes=6))
        for trade_id in (8, 10):  # 9 may still come
            store(database, trade(symbol, trade_id))
        found = look(live_settings, database)
        assert not found.findings.keys() - {DEAD_LETTERS_ARRIVED}  # other tests write some
        assert found.detail["trades"] == {symbol: {"first_id": 5, "last_id": 7, "missing": 0}}
        assert found.detail["newest_candles"] == {f"{symbol}|1m": from_ms(START_MS).isoformat()}
        assert 0 <= found.detail["event_age_s"][symbol] < 30
        assert json.loads(json.dumps(found.detail)) == found.detail

    def test_tells_a_stale_symbol_and_a_sick_service(
        self, live_settings: Settings, database: Documents, symbol: str
    ) -> None:
        all_report(database)
        health.report_health(database, "producer", "1@host", "unhealthy", {"problem": "no event for 40 s"})
        store(database, ticker(symbol, "7"), age=timedelta(minutes=2))
        findings = look(live_settings, database).findings
        assert findings[DAEMON_IS_SILENT] == ["producer:1@host: no event for 40 s"]
        assert findings[EVENTS_ARE_OLD] == [f"{symbol}: the newest event is 120 s old"]

    def test_tells_trades_that_nobody_repaired(
        self, live_settings: Settings, database: Documents, symbol: str
    ) -> None:
        for trade_id in (5, 6, 9, 10, 12):
            store(database, trade(symbol, trade_id), age=timedelta(minutes=6))
        found = look(live_settings, database)
        assert found.detail["trades"][symbol]["missing"] == 3
        (told,) = found.findings[TRADES_ARE_MISSING]
        assert told.startswith(f"{symbol}: 3 trades between the ids 7 and 11 are missing")

    def test_tells_recorded_holes_that_stay_open(
        self, live_settings: Settings, database: Documents, symbol: str
    ) -> None:
        now = to_ms(datetime.now(UTC))
        old, new = (LiveGap("trade", symbol, None, first, first, now - 1, now) for first in (7, 9))
        record_open(database, [old, new], found_by="test")
        found_at = datetime.now(UTC) - timedelta(minutes=8)
        database[GAPS].update_one({"_id": old.key}, {"$set": {"found_at": found_at}})
        found = look(live_settings, database)
        assert found.detail["open_gaps"] == 2
        (told,) = found.findings[GAPS_STAY_OPEN]
        assert told.startswith(f"1 recorded holes are open for more than 5 minutes, the oldest is {old.key}")

    def test_tells_that_kafka_is_away(self, live_settings: Settings, database: Documents) -> None:
        away = live_settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{free_port()}"})
        assert "does not answer" in look(away, database).findings[KAFKA_IS_AWAY][0]


@pytest.mark.slow
class TestTrigger:
    def test_waits_for_each_at_once_and_tells_who_is_silent(
        self, live_settings: Settings, feed: Feed, start: Starter, tmp_path: Path
    ) -> None:
        away = live_settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{free_port()}"})
        with start("producer") as process:
            wait_until(lambda: feed.connected, limit=10, what="the producer")
            waited = subprocess.run(
                [sys.executable, "-c", TRIGGERS],
                env={
                    **os.environ,
                    "AIRFLOW_HOME": str(tmp_path),
                    **connections(live_settings),
                    "AIRFLOW_CONN_KAFKA_AWAY": connections(away)["AIRFLOW_CONN_KAFKA_WATCH_SINK"],
                },
                capture_output=True,
                text=True,
                timeout=90,
            )
            assert waited.returncode == 0, waited.stderr
            told: list[list[dict[str, Any]]] = json.loads(waited.stdout.splitlines()[-1])
            (beats,), (silent,), (unreachable,) = told
            assert beats["task_instance_state"] == "success"
            beat = beats["xcoms"]["return_value"]
            assert beat["service"] == "producer"
            assert beat["instance"].startswith(f"{process.pid}@")
        assert silent["payload"] == {"missing": "nothing that fits came within 12 s"}
        assert unreachable["payload"] == {"missing": "Kafka did not answer within 5 s"}


def all_report(database: Documents) -> None:
    """Record a heartbeat of each service."""
    for service in DAEMONS:
        health.report_health(database, service, "1@host", "healthy", {"problem": None})


def store(database: Documents, frame: str, age: timedelta = timedelta()) -> None:
    """Store what the frame holds as if it had come ``age`` ago; a trade, as if it had been made then."""
    made = document(wrap(frame.encode(), 0))
    assert made is not None
    made["received_at"] = datetime.now(UTC) - age
    if made["kind"] == "trade":
        made["event_time"] = made["received_at"]
    if made["kind"] == "ticker":
        live.keep_latest(database, [made])
    else:
        database[STREAMING_DATA].insert_one(made)
