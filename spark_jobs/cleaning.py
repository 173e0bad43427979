"""What makes a row of the exchange a candle: the rules, as expressions of Spark's own engine.

Nothing is repaired. A row that no candle can look like is refused with the reason; one that is merely
odd, as the exchange's early history has them, is a candle and marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from cryptobot.market.instant import to_ms
from cryptobot.market.interval import Interval
from cryptobot.market.span import Span

PRICES = ("open", "high", "low", "close")
AMOUNTS = ("volume", "quote_volume", "taker_buy_base", "taker_buy_quote")
FIELDS = ("open_time", "close_time", *PRICES, "volume", "quote_volume", "trades", *AMOUNTS[2:])
"""What a candle says, in the order of the wire."""

OFF_GRID, SHORTENED = "off_grid", "shortened"
REPEATED = "repeated: a row of this open time came before"


@dataclass(frozen=True)
class Rule:
    """Why a row is no candle: the reason as people read it, and the condition as Spark's SQL."""

    reason: str
    condition: str


RULES = (
    *(Rule(f"{name} cannot be read", f"{name} IS NULL") for name in FIELDS),
    *(
        Rule(f"{name} is not a finite number", f"isnan({name}) OR abs({name}) = double('Infinity')")
        for name in (*PRICES, *AMOUNTS)
    ),
    *(Rule(f"{name} is not above zero", f"{name} <= 0") for name in PRICES),
    Rule("high is below low", "high < low"),
    Rule("high is below open or close", "high < open OR high < close"),
    Rule("low is above open or close", "low > open OR low > close"),
    *(Rule(f"{name} is negative", f"{name} < 0") for name in (*AMOUNTS, "trades")),
    Rule("taker_buy_base is above volume", "taker_buy_base > volume"),
    Rule("taker_buy_quote is above quote_volume", "taker_buy_quote > quote_volume"),
    Rule("close_time is before open_time", "close_time < open_time"),
)
"""In order: the first that holds is the reason."""


def clean(frame: DataFrame, spans: Sequence[Span], now: datetime) -> DataFrame:
    """Return the closed rows with their key, their place, their marks, and why they are refused.

    ``_id`` is the candle's key; ``span`` the position in ``spans`` of the one that holds the row, null
    where none does; ``refused`` the reason, null for a candle; ``marks`` null where nothing is odd.
    All of it is worked out row by row, in the task that reads them.
    """
    closed = F.col("close_time").isNull() | (F.unix_millis("close_time") < F.lit(to_ms(now)))
    off_grid, shortened = oddities({span.interval for span in spans})
    marks = F.array_compact(F.array(F.when(off_grid, F.lit(OFF_GRID)), F.when(shortened, F.lit(SHORTENED))))
    return frame.where(closed).select(
        F.concat_ws("|", "symbol", "interval", F.unix_millis("open_time")).alias("_id"),
        "*",
        F.when(off_grid | shortened, marks).alias("marks"),
        place(spans).alias("span"),
        F.when(F.col("repeat") > 0, F.lit(REPEATED)).otherwise(unsound()).alias("refused"),
    )


def unsound() -> Column:
    """Return the reason of the first rule that the row breaks; null for a sound row."""
    return F.coalesce(*(F.when(F.expr(rule.condition), F.lit(rule.reason)) for rule in RULES))


def place(spans: Sequence[Span]) -> Column:
    """Return the position in ``spans`` of the row's own; null where its open time is in none."""
    open_ms = F.unix_millis("open_time")
    return F.coalesce(
        *(
            F.when(
                (F.col("symbol") == span.symbol)
                & (F.col("interval") == span.interval.value)
                & (open_ms >= span.start_ms)
                & (open_ms < span.end_ms),
                F.lit(position),
            )
            for position, span in enumerate(spans)
        )
    )


def oddities(intervals: Iterable[Interval]) -> tuple[Column, Column]:
    """Return whether a row opens off the grid of its interval, and whether it closes before its slot ends."""
    open_ms, close_ms = F.unix_millis("open_time"), F.unix_millis("close_time")

    def slot(interval: Interval) -> tuple[Column, Column]:
        if interval is Interval.MONTH_1:
            first = F.date_trunc("month", "open_time")
            return F.unix_millis(first), F.unix_millis(F.add_months(first, 1).cast("timestamp"))
        anchor = interval.floor(0) % interval.milliseconds
        start = open_ms - F.pmod(open_ms - F.lit(anchor), F.lit(interval.milliseconds))
        return start, start + F.lit(interval.milliseconds)

    def any_of(odd: dict[Interval, Column]) -> Column:
        return reduce(
            lambda one, other: one | other,
            ((F.col("interval") == interval.value) & column for interval, column in odd.items()),
        )

    slots = {interval: slot(interval) for interval in intervals}
    off_grid = any_of({interval: open_ms != start for interval, (start, _) in slots.items()})
    shortened = any_of({interval: close_ms < end - 1 for interval, (_, end) in slots.items()})
    return F.coalesce(off_grid, F.lit(False)), F.coalesce(shortened, F.lit(False))


def with_sound_repetitions(rows: DataFrame) -> DataFrame:
    """Return cleaned rows in which a sound repetition stands in for a first row that is refused."""
    refused_first = rows.where((F.col("repeat") == 0) & F.col("refused").isNotNull()).select("_id")
    chosen = (
        rows.where((F.col("repeat") > 0) & unsound().isNull())
        .join(refused_first, "_id", "left_semi")
        .groupBy("_id")
        .agg(F.min("repeat").alias("chosen"))
    )
    stands_in = F.coalesce(F.col("repeat") == F.col("chosen"), F.lit(False))
    return (
        rows.join(F.broadcast(chosen), "_id", "left")
        .withColumn("refused", F.when(~stands_in, F.col("refused")))
        .drop("chosen")
    )
