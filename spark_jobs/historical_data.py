"""Job: closed candles from the exchange into ``historical_data``.

The range is read, cleaned, compared with what is stored, written and verified chunk by chunk; a run
that is killed loses one chunk at most, and the next completes it. The same range twice changes nothing.
Exits non-zero when anything is lost on the way, with one line on standard error that says what and where.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Literal, get_args

from py4j.protocol import Py4JError
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from cryptobot.exchange.errors import ExchangeError
from cryptobot.exchange.rest import RestClient
from cryptobot.market.span import Span, dump_spans, load_spans
from cryptobot.settings import Settings, settings
from cryptobot.spark.failure import cause_of
from cryptobot.spark.session import spark_session
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import Document, connect
from cryptobot.storage.job_reports import save_report
from spark_jobs import sources
from spark_jobs.completeness import slots
from spark_jobs.ingestion import CandlesLostError, Ingestion
from spark_jobs.plan import CHUNK_CANDLES, Plan, chunks, make_plan
from spark_jobs.tally import FIGURES, Tally, total

JOB = "historical_data"
Source = Literal["rest", "archive", "auto"]


def run(
    spans: Sequence[Span],
    report_id: str,
    settings: Settings,
    *,
    source: Source = "auto",
    overwrite: bool = False,
    chunk_candles: int = CHUNK_CANDLES,
) -> Document:
    """Bring ``spans`` into the collection, verify them, and store and return the report."""
    started_at, began = datetime.now(UTC), time.monotonic()
    database = connect(settings)
    ensure_collections(database)
    with RestClient(settings.rest_url) as exchange:
        plan = make_plan(spans, exchange)
    planned = time.monotonic()
    tallies: list[Tally] = []
    spark_ready = ingested = planned
    if plan.spans:
        spark = spark_session(JOB, settings)
        try:
            sources.register(spark)
            spark_ready = time.monotonic()
            read = partial(read_source, spark, settings, plan, source)
            work = Ingestion(spark, settings, database, read, plan.now, report_id, overwrite)
            tallies = ingest(work, plan.spans, chunk_candles)
            ingested = time.monotonic()
        finally:
            spark.stop()
    timings = {
        "plan_s": planned - began,
        "spark_start_s": spark_ready - planned,
        "ingest_s": ingested - spark_ready,
    }
    return _report(database, plan, tallies, report_id, source, overwrite, started_at, timings)


def read_source(
    spark: SparkSession, settings: Settings, plan: Plan, source: Source, spans: Sequence[Span]
) -> DataFrame:
    """Return the rows of ``spans`` as the exchange's REST interface or its archive has them."""
    reader = spark.read.format("binance" if source == "rest" else "binance_archive").options(
        address=settings.rest_url,
        spans=dump_spans(spans),
        now=plan.now.isoformat(),
        weight_limit=plan.weight_limit,
    )
    if source != "rest":
        reader = reader.options(archive=settings.archive_url, mode=source)
    return reader.load()


def ingest(work: Ingestion, spans: Sequence[Span], chunk_candles: int = CHUNK_CANDLES) -> list[Tally]:
    """Bring ``spans`` into the collection chunk by chunk, telling how far it is; return a tally of each."""
    expected = sum(slots(span) for span in spans)
    tallies: list[Tally] = []
    for chunk in chunks(spans, chunk_candles):
        tallies += work.chunk(chunk)
        reached = chunk[-1]
        rows = sum(tally.rows for tally in tallies)
        print(
            f"{JOB}: {reached.symbol} {reached.interval} to {reached.end:%Y-%m-%d %H:%M}:"
            f" {rows:,} of {expected:,} candles",
            flush=True,
        )
    return [total(span, tallies) for span in spans]


def _report(
    database: Database[Document],
    plan: Plan,
    tallies: Sequence[Tally],
    report_id: str,
    source: Source,
    overwrite: bool,
    started_at: datetime,
    timings: dict[str, float],
) -> Document:
    finished_at = datetime.now(UTC)
    every = [*(Tally(span) for span in plan.empty), *tallies]
    report = {
        "_id": report_id,
        "job": JOB,
        "source": source,
        "overwrite": overwrite,
        "spans": [tally.document() for tally in every],
        **{name: sum(getattr(tally, name) for tally in every) for name in FIGURES},
        "started_at": started_at,
        "finished_at": finished_at,
        "duration_s": (finished_at - started_at).total_seconds(),
        "timings": timings,
    }
    save_report(database, report)
    return report


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog=JOB, description=__doc__)
    parser.add_argument("--spans", required=True, help="JSON list of symbol, interval, start, end")
    parser.add_argument("--report", required=True, help="id of the report in job_reports")
    parser.add_argument("--source", choices=get_args(Source), default="auto", help="default: %(default)s")
    parser.add_argument("--overwrite", action="store_true", help="make the range exactly what the source has")
    parser.add_argument("--chunk", type=int, default=CHUNK_CANDLES, help="candles read at a time, at most")
    given = parser.parse_args(argv)
    try:
        report = run(
            load_spans(given.spans), given.report, settings(),
            source=given.source, overwrite=given.overwrite, chunk_candles=given.chunk,
        )  # fmt: skip
    except (ExchangeError, CandlesLostError, PyMongoError, PySparkException, Py4JError, ValueError) as error:
        print(f"{JOB} failed: {cause_of(error)}", file=sys.stderr)
        return 1
    print(
        f"{JOB}: {report['rows']:,} candles in {report['duration_s']:.1f} s: {report['inserted']:,} new,"
        f" {report['corrected']:,} corrected, {report['removed']:,} removed, {report['missing']:,} missing"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
