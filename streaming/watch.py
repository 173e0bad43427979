"""What Airflow asks of the live path: is it alive, is it fresh, is it behind?

The functions on messages are for ``AwaitMessageSensor(apply_function="streaming.watch.<name>")``: the
triggerer calls them with each message (confluent-kafka's) until one returns something. They are in
this package because the triggerer cannot import from the folder of the DAGs.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import orjson
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import RetriableError
from pymongo.database import Database
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from cryptobot.market.topics import MARKET
from cryptobot.settings import Settings
from cryptobot.storage import health, live
from cryptobot.storage.database import Document
from streaming.broker import SINK_GROUP

SERVICES = ("producer", "sink")
WINDOW = timedelta(minutes=5)
EVENT_AGE_S = 60.0
"""A symbol without a ticker for so long is stale; the exchange sends one a second."""


class Message(Protocol):
    """What is used of ``confluent_kafka.Message``."""

    def value(self) -> bytes | None:
        """Return the payload."""

    def timestamp(self) -> tuple[int, int]:
        """Return the timestamp's kind and its milliseconds."""


def fresh_message(message: Message, max_age_s: float = 60.0) -> dict[str, Any] | None:
    """Return the JSON object of a message at most ``max_age_s`` old, otherwise ``None``."""
    value = message.value()
    if value is None or time.time() - message.timestamp()[1] / 1000 > max_age_s:
        return None
    try:
        decoded = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return decoded if isinstance(decoded, dict) else None


def fresh_heartbeat(message: Message, service: str, max_age_s: float = 30.0) -> dict[str, Any] | None:
    """Return the fresh heartbeat of a ``service`` that reports no problem, otherwise ``None``."""
    beat = fresh_message(message, max_age_s)
    if beat is None or beat.get("service") != service or beat.get("problem"):
        return None
    return beat


@retry(
    retry=retry_if_exception_type(RetriableError),
    stop=stop_after_delay(15),
    wait=wait_fixed(0.5),
    reraise=True,
)
def consumer_lag(settings: Settings) -> dict[str, Any]:
    """Return how many messages the sinks have yet to write: ``total``, and ``topics`` by name.

    A partition that no sink has committed counts from its oldest message. Raises ``KafkaError``
    when Kafka does not answer, or is not ready within 15 s of its start.
    """
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap, bootstrap_timeout_ms=10_000)
    try:
        partitions = [
            TopicPartition(topic["name"], part["partition_index"])
            for topic in admin.describe_topics(list(MARKET))
            for part in topic["partitions"]
        ]
        ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        starts = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
        committed = admin.list_group_offsets([SINK_GROUP])[SINK_GROUP]
    finally:
        admin.close()
    behind = dict.fromkeys(MARKET, 0)
    for partition, end in ends.items():
        done = committed[partition].offset if partition in committed else -1
        behind[partition.topic] += max(0, end.offset - max(done, starts[partition].offset))
    return {"group": SINK_GROUP, "total": sum(behind.values()), "topics": behind}


def stream_health(settings: Settings, database: Database[Document]) -> dict[str, Any]:
    """Return how the live path is, as an object of plain JSON values.

    ``healthy`` and its ``problems`` in words; ``services``: the heartbeat of each daemon;
    ``event_age_s`` by symbol; ``trades``: count and missing ids of the last five minutes by
    symbol; ``newest_candles`` by ``SYMBOL|interval``; ``open_gaps``.
    """
    now = datetime.now(UTC)
    problems = []
    services = {}
    for service in SERVICES:
        alive = health.live_instances(database, service)
        services[service] = [_plain(record) for record in alive]
        if not alive:
            problems.append(f"no {service} reports; start one (make status)")
        problems += [
            f"{record['_id']}: {record['detail'].get('problem') or 'Kafka is away'}"
            for record in alive
            if record["state"] != "healthy"
        ]
    tickers = live.newest_tickers(database, settings.symbols)
    ages = {symbol: (now - seen).total_seconds() for symbol, seen in tickers.items()}
    for symbol in settings.symbols:
        if symbol not in ages:
            problems.append(f"{symbol}: no event was ever stored")
        elif ages[symbol] > EVENT_AGE_S:
            problems.append(f"{symbol}: the newest event is {ages[symbol]:.0f} s old")
    candles = live.newest_klines(database, settings.symbols, settings.intervals)
    return {
        "healthy": not problems,
        "problems": problems,
        "checked_at": now.isoformat(),
        "services": services,
        "event_age_s": ages,
        "trades": {
            symbol: {"count": found["count"], "missing": live.missing_trades(database, symbol, found)}
            for symbol, found in live.trades_since(database, now - WINDOW).items()
        },
        "newest_candles": {key: opened.isoformat() for key, opened in candles.items()},
        "open_gaps": live.open_gaps(database),
    }


def _plain(record: Document) -> dict[str, Any]:
    return dict(orjson.loads(orjson.dumps(record)))
