"""Large ranges as Spark frames, with the same columns as the pandas ones."""

from __future__ import annotations

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from cryptobot.market.interval import Interval
from cryptobot.market.span import Span
from cryptobot.settings import Settings
from cryptobot.spark.session import mongo_options
from cryptobot.storage.collections import HISTORICAL_DATA
from expectations.frames import CANDLE_COLUMNS, FINDING_COLUMNS, MARKS

_SCHEMA = (
    "_id string, symbol string, interval string, open_time timestamp, close_time timestamp,"
    " ingested_at timestamp, open double, high double, low double, close double, volume double,"
    " quote_volume double, taker_buy_base double, taker_buy_quote double, trades long, source string,"
    " marks array<string>"
)


def candle_frame(spark: SparkSession, settings: Settings, span: Span) -> DataFrame:
    """Return the span's candles with :data:`FINDING_COLUMNS`, kept on disk where memory is short."""
    options = mongo_options(settings, HISTORICAL_DATA)
    stored = spark.read.format("mongodb").schema(_SCHEMA).options(**options).load()
    within = stored.where(
        (F.col("symbol") == span.symbol)
        & (F.col("interval") == span.interval.value)
        & (F.col("open_time") >= F.lit(span.start))
        & (F.col("open_time") < F.lit(span.end))
    )
    found = with_findings(within, span.interval).select(*CANDLE_COLUMNS, MARKS, *FINDING_COLUMNS)
    return found.persist(StorageLevel.MEMORY_AND_DISK)


def with_findings(frame: DataFrame, interval: Interval) -> DataFrame:
    """Return ``frame`` with what :func:`expectations.frames.with_findings` derives; not for months."""
    opened, closed = F.unix_millis("open_time"), F.unix_millis("close_time")
    offset = interval.floor(0) % interval.milliseconds
    slot = opened - F.pmod(opened - F.lit(offset), F.lit(interval.milliseconds))
    off_grid = opened != slot
    shortened = closed < slot + F.lit(interval.milliseconds - 1)
    due = _text(F.concat_ws(", ", _when(off_grid, "off_grid"), _when(shortened, "shortened")))
    marks = _text(F.array_join(F.sort_array(F.coalesce(F.col(MARKS), F.array())), ", "))
    mean = F.when(F.col("volume") > 0, F.col("quote_volume") / F.col("volume"))
    beyond = F.greatest(F.col("low") - mean, mean - F.col("high"), F.lit(0.0)) / F.col("close")
    return frame.withColumns(
        {
            MARKS: marks,
            "off_grid": F.when(off_grid, F.concat(F.lit("opens "), F.date_format("open_time", "HH:mm:ss"))),
            "shortened": F.when(shortened, F.concat(F.lit("ends "), F.date_format("close_time", "HH:mm:ss"))),
            "wrong_marks": F.when(
                ~marks.eqNullSafe(due),
                F.concat(
                    F.lit("marked "), F.coalesce(marks, F.lit("nothing")),
                    F.lit(", is "), F.coalesce(due, F.lit("regular")),
                ),
            ),
            "mean_price_beyond": F.when(mean.isNotNull(), beyond),
            "range_share": (F.col("high") - F.col("low")) / F.col("close"),
        }
    )  # fmt: skip


def _when(condition: Column, word: str) -> Column:
    return F.when(condition, F.lit(word))


def _text(column: Column) -> Column:
    """Return null in place of an empty text."""
    return F.when(column != "", column)
