"""Job: closed candles from the exchange into ``historical_data``.

Idempotent: a candle replaces itself by ``_id``. Exits non-zero when anything is lost on the way,
with one line on standard error that says what and where.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from py4j.protocol import Py4JError
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from cryptobot.exchange.errors import ExchangeError
from cryptobot.exchange.info import require_trading, weight_limit
from cryptobot.exchange.rest import RestClient
from cryptobot.market.instant import EPOCH, from_ms
from cryptobot.market.span import Span, dump_spans, load_spans
from cryptobot.settings import Settings, settings
from cryptobot.spark.failure import cause_of
from cryptobot.spark.session import mongo_options, spark_session
from cryptobot.storage import candles
from cryptobot.storage.collections import HISTORICAL_DATA, ensure_collections
from cryptobot.storage.database import Document, connect
from cryptobot.storage.gaps import ABSENT, find_gaps, record_gaps
from cryptobot.storage.job_reports import save_report
from spark_jobs.sources import binance

JOB = "historical_data"


class CandlesLostError(Exception):
    """What the exchange gave is not what the collection holds."""


@dataclass(frozen=True)
class Plan:
    """What a run reads, what it need not read, and the exchange's clock and limit."""

    spans: list[Span]
    empty: list[Span]
    now: datetime
    weight_limit: int


@dataclass(frozen=True)
class SpanRead:
    """What the exchange gave for one span."""

    span: Span
    rows: int
    first: datetime | None
    last: datetime | None


def make_plan(spans: Sequence[Span], exchange: RestClient) -> Plan:
    """Check that the symbols trade, and bound spans from the epoch by the exchange's record."""
    info = exchange.exchange_info()
    require_trading({span.symbol for span in spans}, info)
    plan = Plan([], [], exchange.server_time(), weight_limit(info))
    for span in disjoint(spans):
        recorded = exchange.record(span) if span.start == EPOCH else span
        if recorded is None:
            plan.empty.append(span)
        else:
            plan.spans.append(recorded)
    return plan


def disjoint(spans: Sequence[Span]) -> list[Span]:
    """Return ``spans`` in order; overlapping ones, whose candles would count twice, are refused."""
    ordered = sorted(spans, key=lambda span: (span.symbol, span.interval, span.start))
    for one, other in pairwise(ordered):
        if (one.symbol, one.interval) == (other.symbol, other.interval) and other.start < one.end:
            raise ValueError(
                f"{one.symbol} {one.interval}: the spans from {one.start.isoformat()} and from"
                f" {other.start.isoformat()} overlap; ask for each candle once"
            )
    return ordered


def read_candles(spark: SparkSession, address: str, plan: Plan) -> DataFrame:
    """Return the plan's candles as documents of ``historical_data``."""
    binance.register(spark)
    frame = (
        spark.read.format("binance")
        .option("address", address)
        .option("spans", dump_spans(plan.spans))
        .option("now", plan.now.isoformat())
        .option("weight_limit", plan.weight_limit)
        .load()
    )
    key = F.concat_ws("|", "symbol", "interval", F.unix_millis("open_time"))
    return frame.select(
        key.alias("_id"), "*", F.lit("rest").alias("source"), F.current_timestamp().alias("ingested_at")
    )


def write_candles(frame: DataFrame, spans: Sequence[Span], settings: Settings) -> list[SpanRead]:
    """Replace the candles by ``_id`` and return what was read, counted on the way to the write."""
    observation = Observation(JOB)
    metrics = []
    for i, span in enumerate(spans):
        mine = (F.col("symbol") == span.symbol) & (F.col("interval") == span.interval.value)
        open_ms = F.unix_millis("open_time")
        opened = F.when(mine & (open_ms >= span.start_ms) & (open_ms < span.end_ms), open_ms)
        metrics += [
            F.count(opened).alias(f"rows_{i}"),
            F.min(opened).alias(f"first_{i}"),
            F.max(opened).alias(f"last_{i}"),
        ]
    options = mongo_options(
        settings, HISTORICAL_DATA, operationType="replace", idFieldList="_id", upsertDocument="true",
        ordered="false", maxBatchSize="1000",
    )  # fmt: skip
    frame.observe(observation, *metrics).write.format("mongodb").mode("append").options(**options).save()
    seen = observation.get
    return [
        SpanRead(span, seen[f"rows_{i}"], _instant(seen[f"first_{i}"]), _instant(seen[f"last_{i}"]))
        for i, span in enumerate(spans)
    ]


def _instant(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)


def verify(database: Database[Document], reads: Sequence[SpanRead]) -> None:
    """Raise :class:`CandlesLostError` unless the collection holds exactly what was read."""
    for read in reads:
        stored = candles.count(database, read.span)
        if stored != read.rows:
            span = read.span
            raise CandlesLostError(
                f"{span.symbol} {span.interval} from {span.start.isoformat()} to {span.end.isoformat()}: the"
                f" exchange gave {read.rows} candles, but {HISTORICAL_DATA} holds {stored}"
            )


def note_gaps(database: Database[Document], reads: Sequence[SpanRead]) -> None:
    """Record the holes of the exchange's own history: it was asked for these candles and has none.

    Before its record begins there is no hole: nothing is noted of a span from the epoch that is empty.
    """
    for read in (read for read in reads if read.span.start > EPOCH):
        gaps = find_gaps(read.span, candles.open_times(database, read.span))
        record_gaps(database, read.span, gaps, found_by=JOB, state=ABSENT)


def run(spans: Sequence[Span], report_id: str, settings: Settings) -> Document:
    """Bring ``spans`` into the collection, verify them, and store and return the report."""
    started_at = datetime.now(UTC)
    database = connect(settings)
    ensure_collections(database)
    with RestClient(settings.rest_url) as exchange:
        plan = make_plan(spans, exchange)
    reads = [SpanRead(span, 0, None, None) for span in plan.empty]
    if plan.spans:
        spark = spark_session(JOB, settings)
        try:
            reads += write_candles(read_candles(spark, settings.rest_url, plan), plan.spans, settings)
        finally:
            spark.stop()
    verify(database, reads)
    note_gaps(database, reads)
    finished_at = datetime.now(UTC)
    report = {
        "_id": report_id,
        "job": JOB,
        "spans": [_report_span(read) for read in reads],
        "rows": sum(read.rows for read in reads),
        "started_at": started_at,
        "finished_at": finished_at,
        "duration_s": (finished_at - started_at).total_seconds(),
    }
    save_report(database, report)
    return report


def _report_span(read: SpanRead) -> Document:
    return {
        "symbol": read.span.symbol,
        "interval": read.span.interval.value,
        "start": read.span.start,
        "end": read.span.end,
        "rows": read.rows,
        "first_open_time": read.first,
        "last_open_time": read.last,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog=JOB, description=__doc__)
    parser.add_argument("--spans", required=True, help="JSON list of symbol, interval, start, end")
    parser.add_argument("--report", required=True, help="id of the report in job_reports")
    arguments = parser.parse_args(argv)
    try:
        report = run(load_spans(arguments.spans), arguments.report, settings())
    except (ExchangeError, CandlesLostError, PyMongoError, PySparkException, Py4JError, ValueError) as error:
        print(f"{JOB} failed: {cause_of(error)}", file=sys.stderr)
        return 1
    print(f"{JOB}: {report['rows']} candles in {report['duration_s']:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
