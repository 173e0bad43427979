"""The historical job as Airflow submits it, watched while it runs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
from pymongo.database import Database

from benchmarks.programs import Usage, cpu_s, watch
from benchmarks.submission import submission
from cryptobot.market.span import Span, dump_spans
from cryptobot.settings import Settings
from cryptobot.spark.submission import java_options
from cryptobot.storage.database import Document
from cryptobot.storage.job_reports import find_report


@dataclass(frozen=True)
class Servers:
    """Who serves the job: processes whose processor time is read before and after."""

    mongod: psutil.Process
    exchange: psutil.Process


@dataclass(frozen=True)
class Run:
    """One run: its report, and what it and its servers used."""

    report: Document
    usage: Usage
    mongod_s: float
    exchange_s: float

    @property
    def rows_per_s(self) -> float:
        """Distinct candles a second, Spark's start not counted."""
        return float(self.report["rows"] / self.report["timings"]["ingest_s"])


def submit(
    settings: Settings, database: Database[Document], spans: Sequence[Span], source: str, servers: Servers
) -> Run:
    """Run the job on ``spans`` and return what it reported; raises ``RuntimeError`` when it fails."""
    report_id = f"benchmark-{uuid.uuid4().hex[:8]}"
    command, environment = submission(
        settings,
        java_options(_rows(spans)),
        "historical_data",
        *("--spans", dump_spans(spans), "--report", report_id, "--source", source),
    )
    environment |= {"CRYPTOBOT_REST_URL": settings.rest_url, "CRYPTOBOT_ARCHIVE_URL": settings.archive_url}
    before = cpu_s(servers.mongod), cpu_s(servers.exchange)
    program = watch(command, environment)
    report = find_report(database, report_id)
    if report is None:
        raise RuntimeError(f"the job wrote no report:\n{program.text[-3_000:]}")
    after = cpu_s(servers.mongod), cpu_s(servers.exchange)
    return Run(report, program.usage, after[0] - before[0], after[1] - before[1])


def _rows(spans: Sequence[Span]) -> int:
    return sum(span.interval.candles_between(span.start_ms, span.end_ms) for span in spans)
