"""Retention: how long each collection keeps what is no longer needed, and the removal of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import DESCENDING
from pymongo.database import Database

from cryptobot.settings import Days, Settings
from cryptobot.storage import gaps, quarantine
from cryptobot.storage.collections import (
    ALERTS,
    CORRECTIONS,
    DRIFT,
    GAPS,
    HISTORICAL_DATA,
    JOB_REPORTS,
    QUALITY_RESULTS,
    QUARANTINE,
    RECONCILIATIONS,
    SERVICE_HEALTH,
    STREAMING_DATA,
)
from cryptobot.storage.database import Document

BATCH = 5_000
"""Documents removed by one command: each is short, and others get their turn in between."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What of a collection is kept for how long.

    Attributes
    ----------
    name
        What is removed, as people are told.
    since
        The fields that say since when a document is no longer needed; any of them counts.
    among
        Which documents the rule is about.
    newest_of
        The newest document of each value of this field is kept whatever its age.
    stamp
        Documents without the first of ``since`` get it now: nothing recorded when they were done with.
    """

    name: str
    collection: str
    days: Days
    since: tuple[str, ...]
    among: dict[str, Any] = field(default_factory=dict)
    newest_of: str | None = None
    stamp: bool = False


def rules(settings: Settings) -> list[Rule]:
    """Return the rules as configured (``CRYPTOBOT_RETENTION_*``)."""
    repaired, resolved = {"state": gaps.REPAIRED}, {"state": quarantine.RESOLVED}
    return [
        Rule(
            "live candles",
            STREAMING_DATA,
            settings.retention_live_candles,
            ("received_at",),
            {"kind": "kline"},
        ),
        Rule(
            "history of 1m",
            HISTORICAL_DATA,
            settings.retention_history_1m,
            ("open_time",),
            {"symbol": {"$exists": True}, "interval": "1m"},
        ),
        Rule("job reports", JOB_REPORTS, settings.retention_job_reports, ("finished_at",), newest_of="job"),
        Rule(
            "quality results",
            QUALITY_RESULTS,
            settings.retention_quality_results,
            ("finished_at",),
            newest_of="checkpoint",
        ),
        Rule("repaired gaps", GAPS, settings.retention_gaps, ("repaired_at",), repaired, stamp=True),
        Rule(
            "resolved quarantine entries",
            QUARANTINE,
            settings.retention_quarantine,
            ("resolved_at",),
            resolved,
            stamp=True,
        ),
        Rule("corrections", CORRECTIONS, settings.retention_corrections, ("found_at",)),
        Rule("reconciliations", RECONCILIATIONS, settings.retention_reconciliations, ("checked_at",)),
        Rule("drift", DRIFT, settings.retention_drift, ("measured_at",)),
        Rule("alerts", ALERTS, settings.retention_alerts, ("acknowledged_at", "resolved_at")),
        Rule(
            "alerts of candles",
            ALERTS,
            settings.retention_alerts,
            ("created_at",),
            {"details.open_time": {"$type": "date"}},
        ),
        Rule("health of instances", SERVICE_HEALTH, settings.retention_service_health, ("seen_at",)),
    ]


def prune(
    database: Database[Document],
    rule: Rule,
    now: datetime | None = None,
    *,
    dry_run: bool = False,
    batch: int = BATCH,
) -> int:
    """Remove what the rule no longer keeps, in batches; return how many documents that is.

    With ``dry_run`` they are counted and nothing is changed.
    """
    if rule.days == "forever":
        return 0
    now = now or datetime.now(UTC)
    collection = database[rule.collection]
    if rule.stamp and not dry_run:
        collection.update_many(rule.among | {rule.since[0]: None}, {"$set": {rule.since[0]: now}})
    expired: Document = {
        **rule.among,
        "$or": [{name: {"$lt": now - timedelta(days=rule.days)}} for name in rule.since],
    }
    if kept := _newest(database, rule):
        expired["_id"] = {"$nin": kept}
    if dry_run:
        return collection.count_documents(expired)
    removed = 0
    while keys := [found["_id"] for found in collection.find(expired, {"_id": 1}).limit(batch)]:
        deleted = collection.delete_many({"$and": [{"_id": {"$in": keys}}, expired]}).deleted_count
        removed += deleted
    return removed


def _newest(database: Database[Document], rule: Rule) -> Sequence[Any]:
    """Return the keys that ``newest_of`` keeps."""
    if rule.newest_of is None:
        return []
    groups = database[rule.collection].aggregate(
        [
            {"$sort": {rule.since[0]: DESCENDING}},
            {"$group": {"_id": f"${rule.newest_of}", "newest": {"$first": "$_id"}}},
        ]
    )
    return [group["newest"] for group in groups]


def report(report_id: str, removed: dict[str, int], started_at: datetime, *, dry_run: bool) -> Document:
    """Return the report of a run: what was removed, or would be."""
    finished_at = datetime.now(UTC)
    return {
        "_id": report_id,
        "job": "maintenance",
        "removed": removed,
        "rows": sum(removed.values()),
        "dry_run": dry_run,
        "started_at": started_at,
        "finished_at": finished_at,
        "duration_s": (finished_at - started_at).total_seconds(),
    }
