"""The state of the live feed as a whole: one document of ``service_health``, kept by its watch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database

from cryptobot.storage.collections import SERVICE_HEALTH
from cryptobot.storage.database import Document

LIVE_FEED = "live_feed"

DAEMONS = ("producer", "sink", "signals", "notifier")
"""The services that carry the live feed and what follows from it."""

TOPIC_IS_SILENT = "topic_is_silent"
DAEMON_IS_SILENT = "daemon_is_silent"
KAFKA_IS_AWAY = "kafka_is_away"
CONSUMERS_ARE_BEHIND = "consumers_are_behind"
DEAD_LETTERS_ARRIVED = "dead_letters_arrived"
EVENTS_ARE_OLD = "events_are_old"
TRADES_ARE_MISSING = "trades_are_missing"
GAPS_STAY_OPEN = "gaps_stay_open"

LOOKED_AT_EVERY = timedelta(seconds=90)
"""How often the feed is looked at: an outage must be told within three minutes of its cause."""

ANNOUNCED_EVERY = timedelta(minutes=5)
"""How often a feed that stays healthy is announced anew, and its data validated."""


def live_feed(database: Database[Document]) -> Document | None:
    """Return what was last found of the live feed; ``None`` before the first look."""
    return database[SERVICE_HEALTH].find_one({"_id": LIVE_FEED})


def record_live_feed(
    database: Database[Document],
    findings: Mapping[str, Sequence[str]],
    detail: Mapping[str, Any],
    now: datetime,
) -> Document:
    """Record what is wrong with the live feed (``findings``: sentences by check), and return the record.

    ``since`` is when its state last changed. ``announce`` tells that it is healthy and has not been
    announced for a while, or not since it became so.
    """
    before = live_feed(database) or {}
    state = "unhealthy" if findings else "healthy"
    turned = before.get("state") != state
    announced = before.get("announced_at")
    announce = state == "healthy" and (
        turned or announced is None or now - announced >= ANNOUNCED_EVERY - timedelta(seconds=15)
    )
    record = {
        "_id": LIVE_FEED,
        "service": LIVE_FEED,
        "instance": "airflow",
        "state": state,
        "since": now if turned else before["since"],
        "seen_at": now,
        "announced_at": now if announce else announced,
        "detail": {
            "reports_every_s": LOOKED_AT_EVERY.total_seconds(),
            "problem": "; ".join(told for each in findings.values() for told in each) or None,
            "findings": {name: list(told) for name, told in findings.items()},
            **detail,
        },
    }
    database[SERVICE_HEALTH].replace_one({"_id": LIVE_FEED}, record, upsert=True)
    return {**record, "announce": announce}
