"""What Airflow asks of the live path: does it arrive, is it alive, fresh, whole, and not behind?

The functions on messages are for ``AwaitMessageSensor(apply_function="streaming.watch.<name>")``: the
triggerer calls them with each message (confluent-kafka's) until one returns something. They are in
this package because the triggerer cannot import from the folder of the DAGs.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import orjson
from kafka.errors import KafkaError
from pymongo.database import Database

from cryptobot.settings import Settings
from cryptobot.storage import health, live, live_gaps, live_holes
from cryptobot.storage.database import Document
from cryptobot.storage.live_health import (
    CONSUMERS_ARE_BEHIND,
    DAEMON_IS_SILENT,
    DAEMONS,
    DEAD_LETTERS_ARRIVED,
    EVENTS_ARE_OLD,
    GAPS_STAY_OPEN,
    KAFKA_IS_AWAY,
    TRADES_ARE_MISSING,
)
from streaming.kafka_watch import CONSUMERS, consumer_lag, dead_letters_since

WINDOW = timedelta(minutes=15)
"""How far back missing trades are looked for."""
EVENT_AGE_S = 60.0
"""A symbol without a ticker for so long is stale; the exchange sends one a second."""
LATE_AFTER = timedelta(seconds=60)
"""A consumer that has not handled what came so long ago is behind."""
LETTERS_SHOWN_FOR = timedelta(minutes=3)
"""How long a dead letter counts as new, at least; otherwise since the last look."""
REPAIRED_WITHIN = timedelta(minutes=5)
"""What is still missing so long after it should have come is not being repaired."""


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


@dataclass
class Found:
    """What a look at the live path found: sentences about what is wrong, by check, and the figures."""

    findings: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    detail: dict[str, Any] = field(default_factory=dict)


def look(settings: Settings, database: Database[Document], last_look: datetime | None = None) -> Found:
    """Look at the live path by Kafka and MongoDB; the figures are plain JSON values.

    ``services``: the heartbeats of each daemon; ``lag`` by group; ``dead_letters``: how many are new;
    ``event_age_s`` by symbol; ``trades``: span and missing ids of the last minutes by symbol;
    ``newest_candles`` by ``SYMBOL|interval``; ``open_gaps``.
    """
    now = datetime.now(UTC)
    found = Found()
    _services(database, found)
    _kafka(settings, found, now, min(last_look or now, now - LETTERS_SHOWN_FOR))
    _events(settings, database, found, now)
    _holes(settings, database, found, now)
    return found


def _services(database: Database[Document], found: Found) -> None:
    services = {}
    for service in DAEMONS:
        alive = health.live_instances(database, service)
        services[service] = [dict(orjson.loads(orjson.dumps(record))) for record in alive]
        problems = [
            f"{record['_id']}: {record['detail'].get('problem') or 'Kafka is away'}"
            for record in alive
            if record["state"] != "healthy"
        ]
        if not alive:
            problems = [f"no {service} reports; look at make status, then make logs SERVICE={service}"]
        if problems:
            found.findings[DAEMON_IS_SILENT] += problems
    found.detail["services"] = services


def _kafka(settings: Settings, found: Found, now: datetime, letters_since: datetime) -> None:
    try:
        lags = {
            group: consumer_lag(settings, group, topics, before=now - LATE_AFTER)
            for group, topics in CONSUMERS.items()
        }
        letters = dead_letters_since(settings, letters_since)
    except KafkaError as error:
        found.findings[KAFKA_IS_AWAY].append(
            f"Kafka at {settings.kafka_bootstrap} does not answer ({type(error).__name__}); "
            "look at make status, then make logs SERVICE=kafka"
        )
        return
    found.detail |= {"lag": lags, "dead_letters": letters}
    for group, lag in lags.items():
        if lag["late"]:
            found.findings[CONSUMERS_ARE_BEHIND].append(
                f"{group} is {lag['total']} messages behind, {lag['late']} of them older than "
                f"{LATE_AFTER.seconds} s; if it does not shrink, start another instance"
            )
    if letters:
        found.findings[DEAD_LETTERS_ARRIVED].append(
            f"{letters} messages were put aside since {letters_since:%H:%M:%S} UTC; "
            "see why with cryptobot-dead-letters list"
        )


def _events(settings: Settings, database: Database[Document], found: Found, now: datetime) -> None:
    tickers = live.newest_tickers(database, settings.symbols)
    ages = {symbol: (now - seen).total_seconds() for symbol, seen in tickers.items()}
    old = [
        f"{symbol}: the newest event is {ages[symbol]:.0f} s old"
        if symbol in ages
        else f"{symbol}: no event was ever stored"
        for symbol in settings.symbols
        if ages.get(symbol, EVENT_AGE_S + 1) > EVENT_AGE_S
    ]
    if old:
        found.findings[EVENTS_ARE_OLD] += old
    candles = live.newest_klines(database, settings.symbols, settings.intervals)
    found.detail |= {
        "event_age_s": ages,
        "newest_candles": {key: opened.isoformat() for key, opened in candles.items()},
    }


def _holes(settings: Settings, database: Database[Document], found: Found, now: datetime) -> None:
    trades = {}
    for symbol in settings.symbols:
        window = live_holes.trade_window(database, symbol, WINDOW, now - REPAIRED_WITHIN)
        if window is None:
            continue
        holes = live_holes.missing_trades(database, window)
        missing = sum(hole.size for hole in holes)
        trades[symbol] = {"first_id": window.first_id, "last_id": window.last_id, "missing": missing}
        if missing:
            found.findings[TRADES_ARE_MISSING].append(
                f"{symbol}: {missing} trades between the ids {holes[0].first_id} and {holes[-1].last_id} "
                "are missing and were not repaired; look at the DAG live_gaps"
            )
    gaps = live_gaps.open_gaps(database)
    stale = live_gaps.open_gaps(database, REPAIRED_WITHIN)
    if stale:
        found.findings[GAPS_STAY_OPEN].append(
            f"{len(stale)} recorded holes are open for more than {REPAIRED_WITHIN.seconds // 60} minutes, "
            f"the oldest is {stale[0].key}; look at the DAG live_gaps"
        )
    found.detail |= {"trades": trades, "open_gaps": len(gaps)}
