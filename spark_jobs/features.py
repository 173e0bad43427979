"""Job: features of closed candles, ``historical_data`` -> ``features``.

Idempotent: a candle's features replace themselves by ``_id``. Exits non-zero, with one line on
standard error, when there are no candles or when not every candle has its features afterwards.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce

import pandas as pd
from py4j.protocol import Py4JError
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from cryptobot.features import FEATURE_SET, compute, other_symbol, reach_ms
from cryptobot.market.instant import EPOCH, from_ms, parse_instant, to_ms
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span
from cryptobot.settings import Settings, settings
from cryptobot.spark.failure import cause_of
from cryptobot.spark.session import mongo_options, spark_session
from cryptobot.storage import candles, features
from cryptobot.storage.collections import FEATURES, HISTORICAL_DATA, ensure_collections
from cryptobot.storage.database import Document, connect
from cryptobot.storage.job_reports import save_report

JOB = "features"
END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)

_CANDLES = (
    "symbol string, interval string, open_time timestamp, open double, high double, low double,"
    " close double, volume double, quote_volume double, trades long, taker_buy_base double"
)
_COMPUTED = ", ".join(
    [
        "symbol string",
        "interval string",
        "open_time timestamp",
        *(f"{name} double" for name in FEATURE_SET.names),
    ]
)


class FeaturesMissingError(Exception):
    """There are no candles in the range, or candles are without features after the write."""


@dataclass(frozen=True)
class Request:
    """Whose features are wanted, because candles with open times in ``[start, end)`` are new."""

    symbols: tuple[str, ...]
    intervals: tuple[Interval, ...]
    start: datetime = EPOCH
    end: datetime = END_OF_TIME

    @property
    def spans(self) -> list[Span]:
        """The candles whose features are made: the request's, and those after it that look back on them."""
        return [
            Span(symbol, interval, self.start, self._made_until(interval))
            for interval in self.intervals
            for symbol in self.symbols
        ]

    def read_from(self, interval: Interval) -> datetime:
        """Return the first open time of ``interval`` that any of the features read."""
        return from_ms(max(0, to_ms(self.start) - reach_ms(interval)))

    def _made_until(self, interval: Interval) -> datetime:
        return from_ms(min(to_ms(END_OF_TIME), to_ms(self.end) + reach_ms(interval)))


def read_candles(spark: SparkSession, request: Request, settings: Settings) -> DataFrame:
    """Return the candles that the features read, each with the ``target`` whose features it serves.

    A candle serves its own pair, and the pairs that it is the other pair of. MongoDB filters.
    """
    serves = {symbol: [symbol] for symbol in request.symbols}
    for symbol in request.symbols:
        if (other := other_symbol(symbol, settings.symbols)) is not None:
            serves.setdefault(other, []).append(symbol)
    options = mongo_options(settings, HISTORICAL_DATA)
    frame = spark.read.format("mongodb").schema(_CANDLES).options(**options).load()
    of_symbols = F.col("symbol").isin(list(serves))
    wanted = reduce(
        DataFrame.unionByName,
        [
            frame.where(
                of_symbols
                & (F.col("interval") == span.interval.value)
                & (F.col("open_time") >= F.lit(request.read_from(span.interval)))
                & (F.col("open_time") < F.lit(span.end))
            )
            for span in request.spans[:: len(request.symbols)]
        ],
    )
    pairs = [(symbol, target) for symbol, targets in serves.items() for target in targets]
    return wanted.join(F.broadcast(spark.createDataFrame(pairs, "symbol string, target string")), "symbol")


def compute_features(frame: DataFrame, request: Request, symbols: Sequence[str]) -> DataFrame:
    """Return the documents of ``features``, a task a symbol and interval; values not known yet are null."""
    start = request.start.replace(tzinfo=None)

    def of_target(key: tuple[str, str], rows: pd.DataFrame) -> pd.DataFrame:
        target, interval = key
        rows = rows.sort_values("open_time")
        own = rows[rows["symbol"] == target]
        other = rows[rows["symbol"] != target] if other_symbol(target, symbols) else None
        computed = compute(own, other, Interval(interval))
        computed.insert(0, "symbol", target)
        computed.insert(1, "interval", interval)
        computed.insert(2, "open_time", own["open_time"])
        return computed[computed["open_time"] >= start]

    computed = frame.groupBy("target", "interval").applyInPandas(of_target, _COMPUTED)
    version = F.lit(FEATURE_SET.version)
    return computed.select(
        F.concat_ws("|", "symbol", "interval", F.unix_millis("open_time"), version).alias("_id"),
        "symbol",
        "interval",
        "open_time",
        version.alias("version"),
        F.struct(*FEATURE_SET.names).alias("values"),
    )


def write_features(frame: DataFrame, settings: Settings) -> None:
    """Replace the features by ``_id``."""
    options = mongo_options(
        settings, FEATURES, operationType="replace", idFieldList="_id", upsertDocument="true",
        ordered="false", maxBatchSize="1000",
    )  # fmt: skip
    frame.write.format("mongodb").mode("append").options(**options).save()


def verify(database: Database[Document], span: Span, rows: int) -> None:
    """Raise :class:`FeaturesMissingError` unless the span's ``rows`` candles all have features."""
    stored = features.count(database, span, FEATURE_SET.version)
    if stored != rows:
        raise FeaturesMissingError(
            f"{span.symbol} {span.interval}: {rows} candles in {HISTORICAL_DATA}, but {stored} with"
            f" features {FEATURE_SET.version}; run the job again over their range"
        )


def run(request: Request, report_id: str, settings: Settings) -> Document:
    """Compute the requested features, verify them, and store and return the report."""
    started_at = datetime.now(UTC)
    database = connect(settings)
    ensure_collections(database)
    rows = [candles.count(database, span) for span in request.spans]
    if not any(rows):
        raise FeaturesMissingError(
            f"{HISTORICAL_DATA} holds no {' or '.join(request.intervals)} candle of"
            f" {', '.join(request.symbols)} in the range; fetch history first"
        )
    spark = spark_session(JOB, settings)
    try:
        read = read_candles(spark, request, settings)
        write_features(compute_features(read, request, settings.symbols), settings)
    finally:
        spark.stop()
    for span, count in zip(request.spans, rows, strict=True):
        verify(database, span, count)
    finished_at = datetime.now(UTC)
    report = {
        "_id": report_id,
        "job": JOB,
        "feature_set": FEATURE_SET.version,
        "spans": [
            {
                "symbol": span.symbol,
                "interval": span.interval.value,
                "start": span.start,
                "end": span.end,
                "rows": count,
            }
            for span, count in zip(request.spans, rows, strict=True)
        ],
        "rows": sum(rows),
        "started_at": started_at,
        "finished_at": finished_at,
        "duration_s": (finished_at - started_at).total_seconds(),
    }
    save_report(database, report)
    return report


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog=JOB, description=__doc__)
    parser.add_argument("--symbols", required=True, help="comma separated")
    parser.add_argument("--intervals", required=True, help="comma separated, such as 15m,1h")
    parser.add_argument("--start", type=parse_instant, default=EPOCH, help="first new open time, ISO")
    parser.add_argument("--end", type=parse_instant, default=END_OF_TIME, help="end of new open times, ISO")
    parser.add_argument("--report", required=True, help="id of the report in job_reports")
    arguments = parser.parse_args(argv)
    try:
        request = Request(
            tuple(arguments.symbols.split(",")),
            tuple(map(Interval, arguments.intervals.split(","))),
            arguments.start,
            arguments.end,
        )
        report = run(request, arguments.report, settings())
    except (FeaturesMissingError, PyMongoError, PySparkException, Py4JError, ValueError) as error:
        print(f"{JOB} failed: {cause_of(error)}", file=sys.stderr)
        return 1
    print(f"{JOB}: {report['rows']} candles in {report['duration_s']:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
