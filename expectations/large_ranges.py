"""Program: the checkpoint of ``historical_data`` for ranges that memory does not hold, on Spark.

The same suites as in :mod:`expectations.checkpoint`; ranges of usual size are checked by pandas here
too. The outcome is stored in ``quality_results`` under the given id, whether good or bad; the exit
code is non-zero, with one line on standard error, only when the check itself could not be made.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from great_expectations.exceptions import GreatExpectationsError
from py4j.protocol import Py4JError
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from cryptobot.exchange.errors import ExchangeError
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span
from cryptobot.settings import Settings, settings
from cryptobot.spark.failure import cause_of
from cryptobot.spark.session import spark_session
from cryptobot.storage import candles
from cryptobot.storage.collections import HISTORICAL_DATA
from cryptobot.storage.database import Document, connect
from cryptobot.storage.job_reports import report_spans
from cryptobot.storage.partitions import MissingReportError, require_report
from expectations.checkpoint import exchange_time
from expectations.historical import (
    LARGE_ROWS,
    CheckedSpan,
    asset_of,
    candle_facts,
    checked_spans,
    grid_span,
    pandas_asset,
)
from expectations.result import QualityResult
from expectations.spark_frames import candle_frame
from expectations.suites import SPARK_TYPES
from expectations.validation import Asset, run_assets

PROGRAM = "large_ranges"


def run(report_ids: Sequence[str], result_id: str, settings: Settings) -> QualityResult:
    """Check the ranges of the reports; store and return the outcome."""
    database = connect(settings)
    expected: list[tuple[Span, int | None]] = [
        entry for each in report_ids for entry in report_spans(require_report(database, each))
    ]
    now = exchange_time(settings)
    spark = spark_session(PROGRAM, settings)
    try:
        return run_assets(
            settings,
            database,
            collection=HISTORICAL_DATA,
            assets=_assets(spark, settings, database, checked_spans(expected), now),
            start=min((span.start for span, _ in expected), default=None),
            end=max((span.end for span, _ in expected), default=None),
            result_id=result_id,
        )
    finally:
        spark.stop()


def spark_asset(
    spark: SparkSession, settings: Settings, database: Database[Document], checked: CheckedSpan, now: datetime
) -> Asset:
    """Return the range as an asset that Spark checks."""
    span = grid_span(database, checked.span)
    frame = candle_frame(spark, settings, span)
    rows, off_grid = frame.agg(F.count(F.lit(1)), F.count("off_grid")).first() or (0, 0)
    facts = candle_facts(database, replace(checked, span=span), now, rows, off_grid)
    asset = asset_of(checked.name, span, facts, frame, rows, types=SPARK_TYPES)
    return replace(asset, engine="spark", release=lambda: frame.unpersist(blocking=True))


def _assets(
    spark: SparkSession,
    settings: Settings,
    database: Database[Document],
    spans: Sequence[CheckedSpan],
    now: datetime,
) -> Iterator[Asset]:
    for checked in spans:
        large = candles.count(database, checked.span) > LARGE_ROWS
        if large and checked.span.interval is not Interval.MONTH_1:
            yield spark_asset(spark, settings, database, checked, now)
        else:
            yield pandas_asset(database, checked, now)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checkpoint from the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    parser.add_argument("--reports", required=True, help="ids in job_reports, comma separated")
    parser.add_argument("--result", required=True, help="id of the outcome in quality_results")
    arguments = parser.parse_args(argv)
    try:
        result = run(arguments.reports.split(","), arguments.result, settings())
    except (
        MissingReportError, ExchangeError, GreatExpectationsError, PyMongoError, PySparkException, Py4JError,
    ) as error:  # fmt: skip
        print(f"{PROGRAM} failed: {cause_of(error)}", file=sys.stderr)
        return 1
    seconds = (result.finished_at - result.started_at).total_seconds()
    print(f"{PROGRAM}: {result.rows} candles in {seconds:.1f} s, worst: {result.worst_severity or 'nothing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
