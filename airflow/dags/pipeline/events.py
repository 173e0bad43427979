"""Asset events: what a run announces when it has made an asset, and what it reads of others'."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airflow.sdk import Asset, FixedKeyMapper, PartitionedAssetTimetable

REPORT = "{{ dag.dag_id }}|{{ run_id }}"
"""The id under which a Spark job leaves its report: one a run, replaced by a retry."""


def whenever_made(asset: Asset) -> PartitionedAssetTimetable:
    """Return the schedule that starts **one** run for all the partitions of ``asset`` made since.

    A range of many days emits one event a day; mapped onto one key they become one run, which
    reads what to do from the events and must be idempotent.
    """
    return PartitionedAssetTimetable(assets=asset, default_partition_mapper=FixedKeyMapper("latest"))


def announce(
    outlet_events, asset: Asset, report: dict, bounds: tuple[datetime, datetime], days: Sequence[str]
) -> dict:
    """Emit the event of ``asset``, one for each of ``days`` where given, and return its metadata."""
    start, end = bounds
    extra = {
        "report": report["_id"],
        "rows": report["rows"],
        "from": start.isoformat(),
        "to": end.isoformat(),
        "duration_s": round(report["duration_s"], 3),
    }
    if days:
        outlet_events[asset].add_partitions(list(days))
    outlet_events[asset].extra = extra
    return extra


def announced(triggering_asset_events) -> list[dict]:
    """Return the metadata of the events that started this run, each announcement once, oldest first."""
    extras = [event.extra for events in triggering_asset_events.values() for event in events if event.extra]
    return list({extra["report"]: extra for extra in extras}.values())


def covered(events: Sequence[dict]) -> dict[str, str]:
    """Return the range, ``from`` and ``to`` (ISO, half open), that announced ``events`` span."""
    return {"from": min(event["from"] for event in events), "to": max(event["to"] for event in events)}


def partitions(triggering_asset_events) -> list[str]:
    """Return the partition keys of the events that started this run, sorted."""
    keys = {event.partition_key for events in triggering_asset_events.values() for event in events}
    return sorted(key for key in keys if key)
