"""Candles into ``historical_data`` through the MongoDB connector: new ones, and those that changed.

What is stored and equal is not touched, so that the same range twice changes nothing. Every write is
by the candle's key: runs that overlap meet each other's candles and compare again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from cryptobot.market.span import Span, pieces
from cryptobot.settings import Settings
from cryptobot.spark.failure import full_text
from cryptobot.spark.session import mongo_options
from cryptobot.storage.collections import CORRECTIONS, HISTORICAL_DATA
from spark_jobs.cleaning import FIELDS

BATCH = "2000"
"""Documents of one write command."""

STORED_PARTITION = 50_000
"""Candles of one task that reads what is stored."""

COMPARED = (*FIELDS, "marks")
"""What makes two candles of a key the same; where and when they were read does not."""

DOCUMENT = ("_id", "symbol", "interval", *COMPARED, "source", "ingested_at")
NEW, DIFFERS, SAME = "new", "differs", "same"

_STORED = (
    "_id string, symbol string, interval string, open_time timestamp, close_time timestamp, open double,"
    " high double, low double, close double, volume double, quote_volume double, trades long,"
    " taker_buy_base double, taker_buy_quote double, marks array<string>, source string,"
    " ingested_at timestamp"
)
_AFTER = (
    "struct<symbol:string,interval:string,open_time:timestamp,close_time:timestamp,open:double,high:double,"
    "low:double,close:double,volume:double,quote_volume:double,trades:bigint,taker_buy_base:double,"
    "taker_buy_quote:double,marks:array<string>,source:string>"
)
_DUPLICATE_KEY = "E11000"


def insert(frame: DataFrame, settings: Settings) -> None:
    """Insert candles that are not stored yet."""
    _write(_documents(frame), settings, HISTORICAL_DATA, operationType="insert")


def replace(frame: DataFrame, settings: Settings) -> None:
    """Put candles in place of those of their keys, or insert them."""
    _write(_documents(frame), settings, HISTORICAL_DATA, operationType="replace", upsertDocument="true")


def log_corrections(frame: DataFrame, settings: Settings, report_id: str) -> None:
    """Log candles whose ``before`` is replaced, or removed where ``after`` is null.

    The key tells one correction of a candle from another, and is the same when a run that was killed
    between the log and the replacement is made again.
    """
    differs = F.lower(F.hex(F.xxhash64("before", *(f"after.{name}" for name in COMPARED))))
    corrections = frame.select(
        F.concat_ws("|", "_id", differs).alias("_id"),
        *(F.col(f"before.{name}").alias(name) for name in ("symbol", "interval", "open_time")),
        F.col("before").dropFields("symbol", "interval", "open_time").alias("before"),
        F.col("after").dropFields("symbol", "interval", "open_time").alias("after"),
        F.current_timestamp().alias("found_at"),
        F.lit(report_id).alias("report"),
    )
    _write(corrections, settings, CORRECTIONS, operationType="replace", upsertDocument="true")


def _write(frame: DataFrame, settings: Settings, collection: str, **options: str) -> None:
    every = mongo_options(
        settings, collection, idFieldList="_id", ordered="false", maxBatchSize=BATCH,
        ignoreNullValues="true", **options,
    )  # fmt: skip
    frame.write.format("mongodb").mode("append").options(**every).save()


def _documents(frame: DataFrame) -> DataFrame:
    return frame.withColumn("ingested_at", F.current_timestamp()).select(*DOCUMENT)


def stored(spark: SparkSession, settings: Settings, spans: Sequence[Span]) -> DataFrame:
    """Return the stored candles of ``spans``, read by the index in tasks of bounded size."""
    options = mongo_options(
        settings,
        HISTORICAL_DATA,
        partitioner="com.mongodb.spark.sql.connector.read.partitioner.SinglePartitionPartitioner",
    )
    collection = spark.read.format("mongodb").schema(_STORED).options(**options).load()
    return reduce(
        DataFrame.unionByName,
        (
            collection.where(
                (F.col("symbol") == part.symbol)
                & (F.col("interval") == part.interval.value)
                & (F.col("open_time") >= F.lit(part.start))
                & (F.col("open_time") < F.lit(part.end))
            )
            for span in spans
            for part in pieces(span, STORED_PARTITION)
        ),
    )


def compare(sound: DataFrame, held: DataFrame) -> DataFrame:
    """Return the candles with the stored one of their key as ``before``, and how they ``compare``."""
    before = held.select("_id", _whole().alias("before"))
    both = sound.join(before, "_id", "left")
    return both.withColumn(
        "change",
        F.when(F.col("before").isNull(), NEW).when(_same(), SAME).otherwise(DIFFERS),
    )


def after() -> Column:
    """Return the candle as it will be stored, but for the time of the write."""
    return F.struct("symbol", "interval", *COMPARED, "source")


def _whole() -> Column:
    return F.struct("symbol", "interval", *COMPARED, "source", "ingested_at")


def _same() -> Column:
    return reduce(
        lambda one, other: one & other,
        (F.col(name).eqNullSafe(F.col(f"before.{name}")) for name in COMPARED),
    )


def met_another_run(error: BaseException) -> bool:
    """Tell whether a write failed because a candle is stored by now: another run is at work there."""
    return _DUPLICATE_KEY in full_text(error)


def without(held: DataFrame, rows: DataFrame) -> DataFrame:
    """Return the stored candles of which the source gave no row, not even one that was refused."""
    return held.join(rows.select("_id"), "_id", "left_anti")


def removed(strays: DataFrame) -> DataFrame:
    """Return stored candles as corrections that leave nothing."""
    return strays.withColumn("before", _whole()).withColumn("after", F.lit(None).cast(_AFTER))
