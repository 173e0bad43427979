"""The suite of candles: what ``historical_data`` must hold, and how much it matters where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from great_expectations import ExpectationSuite
from great_expectations.expectations import core as gxe
from great_expectations.expectations.expectation import Expectation

from cryptobot.market.instant import EPOCH
from cryptobot.market.span import Span
from cryptobot.storage.quality_inputs import Records
from expectations import terms
from expectations.baseline import Baseline
from expectations.continuity import ExpectNoCandleAbsentAtTheSource, ExpectNoCandleLost
from expectations.frames import CANDLE_COLUMNS, FINDING_COLUMNS, MARKS, PRICE_COLUMNS, VOLUME_COLUMNS
from expectations.records import LISTED, ExpectNothingOnRecord
from expectations.terms import COMPLETENESS, INFO, PRICES, REPAIRS, TIMES, VOLUMES, WARNING

ROUNDING = 1e-3
"""How far, as a share of the close, the mean price may lie beyond high and low: figures are rounded."""

PANDAS_TYPES = ("float64", "int64")
SPARK_TYPES = ("DoubleType", "LongType")

_SOURCES = ("rest", "archive")
_MARKS = ("off_grid", "shortened", "off_grid, shortened")


@dataclass(frozen=True)
class CandleFacts:
    """What is known of a range beside its candles.

    Attributes
    ----------
    now
        The exchange's clock, UTC without a zone: a candle that closes later is still open.
    expected_rows
        Candles that the exchange gave for the range, where the job has reported them.
    off_grid_rows
        Stored candles that open beside the grid: so many more than the grid there may be.
    on_grid
        Whether candles are due in the range at all: not where the exchange has none whatever.
    absent
        Holes that are recorded as absent at the source: ``[from, to)`` in ms.
    newest_due
        Where the range reaches the present: the open time that the newest candle must have reached.
    """

    now: datetime
    expected_rows: int | None = None
    off_grid_rows: int = 0
    on_grid: bool = True
    absent: list[tuple[int, int]] = field(default_factory=list)
    newest_due: datetime | None = None
    quarantined: Records = field(default_factory=lambda: Records(0, []))
    corrected: Records = field(default_factory=lambda: Records(0, []))
    baseline: Baseline = field(default_factory=lambda: Baseline(reason="nothing was asked for"))


def historical_suite(
    name: str, span: Span, facts: CandleFacts, *, types: tuple[str, str] = PANDAS_TYPES
) -> ExpectationSuite:
    """Return what the candles of ``span`` must be; ``types`` are the engine's names of double and long."""
    return terms.suite_of(
        name,
        [
            *_completeness(span, facts),
            *_identity(span, types),
            *_figures(),
            *_times(facts),
            *facts.baseline.expectations(),
            *_repairs(facts),
        ],
    )


def _completeness(span: Span, facts: CandleFacts) -> Iterator[Expectation]:
    grid_rows = span.interval.candles_between(span.start_ms, span.end_ms)
    if facts.expected_rows is not None:
        yield terms.rows_between(
            f"Every candle that was read is stored: {facts.expected_rows:,}", facts.expected_rows, None
        )
    if facts.on_grid and span.start > EPOCH:
        most = grid_rows + facts.off_grid_rows
        yield terms.rows_between(f"There are no more candles than the range can hold: {most:,}", None, most)
        yield terms.rows_between(
            f"The range has every candle of the grid: {grid_rows:,}", grid_rows, grid_rows, severity=WARNING
        )
        bounds = {"start_ms": span.start_ms, "end_ms": span.end_ms}
        holes: dict[str, Any] = {
            "symbol": span.symbol,
            "interval": span.interval.value,
            "recorded": [list(hole) for hole in facts.absent],
            **bounds,
        }
        yield terms.expect(
            ExpectNoCandleLost,
            "No candle is missing that the exchange has",
            group=COMPLETENESS,
            **holes,
        )
        yield terms.expect(
            ExpectNoCandleAbsentAtTheSource,
            "The exchange itself has every candle of the range",
            group=COMPLETENESS,
            severity=WARNING,
            **holes,
        )


def _identity(span: Span, types: tuple[str, str]) -> Iterator[Expectation]:
    real, whole = types
    yield terms.exact_columns([*CANDLE_COLUMNS, MARKS, *FINDING_COLUMNS], "A candle")
    yield terms.unique("_id", "Keys are unique")
    yield terms.unique("open_time", "One candle per open time")
    yield terms.among("symbol", [span.symbol], f"The symbol is {span.symbol}")
    yield terms.among("interval", [span.interval.value], f"The interval is {span.interval}")
    yield terms.among("source", _SOURCES, "The source is rest or archive")
    yield terms.among(MARKS, _MARKS, "Marks are off_grid or shortened")
    yield from (terms.present(column) for column in CANDLE_COLUMNS)
    yield from (terms.typed(column, real) for column in (*PRICE_COLUMNS, *VOLUME_COLUMNS))
    yield terms.typed("trades", whole)


def _figures() -> Iterator[Expectation]:
    yield from (terms.positive(column, group=PRICES) for column in PRICE_COLUMNS)
    for larger, smaller in (
        ("high", "low"),
        ("high", "open"),
        ("high", "close"),
        ("open", "low"),
        ("close", "low"),
    ):
        yield terms.at_least(larger, smaller, group=PRICES)
    yield from (terms.not_negative(column, group=VOLUMES) for column in (*VOLUME_COLUMNS, "trades"))
    yield terms.at_least("volume", "taker_buy_base", group=VOLUMES)
    yield terms.at_least("quote_volume", "taker_buy_quote", group=VOLUMES)
    yield terms.between(
        "mean_price_beyond",
        f"The mean price (quote_volume over volume) lies between low and high, within {ROUNDING:.1%}",
        group=VOLUMES,
        severity=WARNING,
        max_value=ROUNDING,
    )
    yield terms.between(
        "trades",
        "At least 95 % of candles saw a trade",
        group=VOLUMES,
        severity=INFO,
        min_value=1,
        mostly=0.95,
    )


def _times(facts: CandleFacts) -> Iterator[Expectation]:
    yield terms.at_least("close_time", "open_time", group=TIMES)
    yield terms.between(
        "close_time",
        "Every candle had closed by the exchange's clock",
        group=TIMES,
        max_value=facts.now,
        strict_max=True,
    )
    yield terms.absent("off_grid", "Candles open on the grid", group=TIMES, severity=WARNING)
    yield terms.absent("shortened", "Candles last their whole interval", group=TIMES, severity=WARNING)
    yield terms.absent(
        "wrong_marks", "Candles off the grid or shortened carry that mark", group=TIMES, severity=WARNING
    )
    if facts.newest_due is not None:
        yield terms.expect(
            gxe.ExpectColumnMaxToBeBetween,
            f"The newest candle reaches the present: it opened at {facts.newest_due:%Y-%m-%d %H:%M} or later",
            group=TIMES,
            severity=WARNING,
            column="open_time",
            min_value=facts.newest_due,
        )


def _repairs(facts: CandleFacts) -> Iterator[Expectation]:
    kept_apart = [
        {"_id": str(row["_id"]), "reason": str(row.get("reason"))} for row in facts.quarantined.first[:LISTED]
    ]
    yield terms.expect(
        ExpectNothingOnRecord,
        "No row of the range is in quarantine",
        group=REPAIRS,
        severity=WARNING,
        total=facts.quarantined.total,
        rows=kept_apart,
    )
    replaced = [
        {"_id": str(row["_id"]), "found at": f"{row['found_at']:%Y-%m-%d %H:%M}"}
        for row in facts.corrected.first[:LISTED]
    ]
    yield terms.expect(
        ExpectNothingOnRecord,
        "No candle of the range was corrected after it was stored",
        group=REPAIRS,
        severity=INFO,
        total=facts.corrected.total,
        rows=replaced,
    )
