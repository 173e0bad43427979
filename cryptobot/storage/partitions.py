"""Partitions of the batch assets: which UTC days a job's report speaks of, and which hold candles."""

from __future__ import annotations

from datetime import datetime

from pymongo.database import Database

from cryptobot.market.instant import from_ms, to_ms
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span
from cryptobot.storage.collections import HISTORICAL_DATA
from cryptobot.storage.database import Document
from cryptobot.storage.job_reports import find_report


class MissingReportError(LookupError):
    """A job ended without the report that proves what it did."""


def require_report(database: Database[Document], report_id: str) -> Document:
    """Return the report of a job; raises :class:`MissingReportError` where it wrote none."""
    report = find_report(database, report_id)
    if report is None:
        raise MissingReportError(
            f"no report {report_id!r} in job_reports: the job did not finish; run it again"
        )
    return report


def covered_spans(report: Document) -> list[Span]:
    """Return the spans that a report speaks of, narrowed to the candles that were found.

    A span of which the exchange had no candle is left out.
    """
    return [
        Span(
            span["symbol"],
            interval := Interval(span["interval"]),
            span["first_open_time"],
            from_ms(interval.following(to_ms(span["last_open_time"]))),
        )
        for span in report["spans"]
        if span["rows"]
    ]


def bounds(spans: list[Span]) -> tuple[datetime, datetime]:
    """Return the first start and the last end of ``spans``, of which there is at least one."""
    return min(span.start for span in spans), max(span.end for span in spans)


def days_held(database: Database[Document], spans: list[Span]) -> list[str]:
    """Return the UTC days, ``YYYY-MM-DD`` and sorted, in which ``spans`` have a stored candle."""
    days: set[str] = set()
    for span in spans:
        found = database[HISTORICAL_DATA].aggregate(
            [
                {
                    "$match": {
                        "symbol": span.symbol,
                        "interval": span.interval.value,
                        "open_time": {"$gte": span.start, "$lt": span.end},
                    }
                },
                {
                    "$project": {
                        "_id": 0,
                        "day": {"$dateToString": {"date": "$open_time", "format": "%Y-%m-%d"}},
                    }
                },
                {"$group": {"_id": "$day"}},
            ]
        )
        days.update(document["_id"] for document in found)
    return sorted(days)
