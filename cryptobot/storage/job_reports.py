"""Repository of ``job_reports``: what a batch job did, one document a run."""

from __future__ import annotations

from pymongo.database import Database

from cryptobot.market.interval import Interval
from cryptobot.market.span import Span
from cryptobot.storage.collections import JOB_REPORTS
from cryptobot.storage.database import Document


def save_report(database: Database[Document], report: Document) -> None:
    """Store the report of a run under its ``_id``; a run that is repeated replaces its own."""
    database[JOB_REPORTS].replace_one({"_id": report["_id"]}, report, upsert=True)


def find_report(database: Database[Document], report_id: str) -> Document | None:
    """Return the report of a run; None where it wrote none, and so did not finish."""
    return database[JOB_REPORTS].find_one({"_id": report_id})


def report_spans(report: Document) -> list[tuple[Span, int]]:
    """Return what a run of ``historical_data`` covered: each span, and the candles it read there."""
    return [
        (Span(entry["symbol"], Interval(entry["interval"]), entry["start"], entry["end"]), entry["rows"])
        for entry in report["spans"]
    ]
