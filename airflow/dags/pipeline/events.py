"""Asset events: what a run announces when it has made an asset, and what it reads of others'."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, FixedKeyMapper, PartitionedAssetTimetable

if TYPE_CHECKING:
    from airflow.sdk.definitions.asset import BaseAsset

REPORT = "{{ dag.dag_id }}|{{ run_id }}"
"""The id under which a Spark job leaves its report: one a run, replaced by a retry."""


COUNTS = ("inserted", "corrected", "removed", "duplicates", "quarantined", "missing")
"""What a report may count beside the rows; each goes into the metadata of the event."""


def whenever_made(asset: BaseAsset) -> PartitionedAssetTimetable:
    """Return the schedule that starts **one** run for all the partitions of ``asset`` made since.

    A range of many days emits one event a day; mapped onto one key they become one run, which
    reads what to do from the events and must be idempotent. Of several assets, ``FEATURES | DRIFT``,
    whichever is made starts it.
    """
    return PartitionedAssetTimetable(assets=asset, default_partition_mapper=FixedKeyMapper("latest"))


def made(outlet_events, asset: Asset, dag_run, extra: dict) -> dict:
    """Emit the event of ``asset``, with ``extra``, which is returned, so that what follows it starts.

    A run that was triggered by hand has no partition of its own, and would start nothing: its id is one.
    """
    if dag_run.partition_key is None:
        outlet_events[asset].add_partitions(dag_run.run_id)
    outlet_events[asset].extra = extra
    return extra


def ask(outlet_events, asset: Asset, report: str, reasons: Sequence[str]) -> list[str]:
    """Emit the event of ``asset`` that asks for a training, with the ``reasons``, which are returned.

    Its partition is the report that it follows from: a run that was triggered by hand has no partition
    of its own, and would start nothing.
    """
    outlet_events[asset].add_partitions(report)
    outlet_events[asset].extra = {"report": report, "because": list(reasons)}
    return list(reasons)


def reasons_asked(events: Sequence[dict]) -> list[str]:
    """Return for what reasons announced ``events`` ask for a training, each once."""
    return _each(reason for event in events for reason in event.get("because", ()))


def announce(
    outlet_events, asset: Asset, report: dict, bounds: tuple[datetime, datetime], days: Sequence[str]
) -> dict:
    """Emit the event of ``asset``, one for each of ``days`` where given, and return its metadata.

    Of the report's spans, those in which something was found are named.
    """
    start, end = bounds
    found = [span for span in report["spans"] if span["rows"]]
    extra = {
        "report": report["_id"],
        "rows": report["rows"],
        **{name: report[name] for name in COUNTS if name in report},
        "symbols": _each(span["symbol"] for span in found),
        "intervals": _each(span["interval"] for span in found),
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


def covered(events: Sequence[dict]) -> dict[str, Any]:
    """Return what announced ``events`` span together; nothing of none.

    ``from`` and ``to`` (ISO, half open), ``symbols`` and ``intervals``.
    """
    if not events:
        return {}
    return {
        "from": min(event["from"] for event in events),
        "to": max(event["to"] for event in events),
        "symbols": _each(symbol for event in events for symbol in event["symbols"]),
        "intervals": _each(interval for event in events for interval in event["intervals"]),
    }


def _each(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def partitions(triggering_asset_events) -> list[str]:
    """Return the partition keys of the events that started this run, sorted."""
    keys = {event.partition_key for events in triggering_asset_events.values() for event in events}
    return sorted(key for key in keys if key)
