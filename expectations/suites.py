"""The suites: what each collection must hold, and how much it matters where it does not.

Critical blocks what is built from the data; a warning passes and is shown; info is for the eye.
"""

from __future__ import annotations

from datetime import datetime

from great_expectations import ExpectationSuite
from great_expectations.expectations import core as gxe
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations.frames import CANDLE_COLUMNS, GRID_COLUMNS, PRICE_COLUMNS, VOLUME_COLUMNS

CRITICAL, WARNING, INFO = FailureSeverity.CRITICAL, FailureSeverity.WARNING, FailureSeverity.INFO

_CANDLE_TYPES = {**dict.fromkeys((*PRICE_COLUMNS, *VOLUME_COLUMNS), "float64"), "trades": "int64"}
_ORDER = [
    ("high", "low"),
    ("high", "open"),
    ("high", "close"),
    ("open", "low"),
    ("close", "low"),
    ("close_time", "open_time"),
]
_TAKER = [("volume", "taker_buy_base"), ("quote_volume", "taker_buy_quote")]


def historical_suite(
    name: str, symbol: str, interval: str, *, now: datetime, grid_rows: int, expected_rows: int | None
) -> ExpectationSuite:
    """Return what the candles of one symbol and interval must be.

    Parameters
    ----------
    now
        The exchange's clock, UTC without a zone: a candle that closes later is still open.
    grid_rows
        Candles that the range has on the grid; fewer is a warning, for the exchange has holes too.
    expected_rows
        Candles that the exchange gave for the range, where the job has reported them.
    """
    expected = [] if expected_rows is None else [_rows("Every candle that was read is stored", expected_rows)]
    return ExpectationSuite(
        name=name,
        expectations=[
            *expected,
            _rows("The range has every candle of the grid (warning)", grid_rows, WARNING),
            gxe.ExpectTableColumnsToMatchSet(
                column_set=[*CANDLE_COLUMNS, *GRID_COLUMNS],
                exact_match=True,
                severity=CRITICAL,
                description="A candle has exactly the agreed fields",
            ),
            *_candle_keys(symbol, interval),
            *(_no_nulls(column) for column in CANDLE_COLUMNS),
            *(_type(column, kind) for column, kind in _CANDLE_TYPES.items()),
            *_candle_figures(),
            *_candle_times(now),
        ],
    )


def _candle_keys(symbol: str, interval: str) -> list[Expectation]:
    return [
        gxe.ExpectColumnValuesToBeUnique(column="_id", severity=CRITICAL, description="Keys are unique"),
        gxe.ExpectColumnValuesToBeUnique(
            column="open_time", severity=CRITICAL, description="One candle per open time"
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="symbol", value_set=[symbol], severity=CRITICAL, description=f"The symbol is {symbol}"
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="interval",
            value_set=[interval],
            severity=CRITICAL,
            description=f"The interval is {interval}",
        ),
    ]


def _candle_figures() -> list[Expectation]:
    return [
        *(_at_least(larger, smaller) for larger, smaller in (*_ORDER, *_TAKER)),
        *(_positive(column) for column in PRICE_COLUMNS),
        *(
            gxe.ExpectColumnValuesToBeBetween(
                column=column, min_value=0, severity=CRITICAL, description=f"{column} is never negative"
            )
            for column in (*VOLUME_COLUMNS, "trades")
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="trades",
            min_value=1,
            mostly=0.95,
            severity=INFO,
            description="At least 95 % of candles saw a trade (info)",
        ),
    ]


def _candle_times(now: datetime) -> list[Expectation]:
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="close_time",
            max_value=now,
            strict_max=True,
            severity=CRITICAL,
            description="Every candle had closed by the exchange's clock",
        ),
        gxe.ExpectColumnValuesToBeNull(
            column="gap_before", severity=WARNING, description="No candle of the grid is missing (warning)"
        ),
        gxe.ExpectColumnValuesToBeNull(
            column="off_grid", severity=WARNING, description="Candles open on the grid (warning)"
        ),
    ]


def _rows(text: str, count: int, severity: FailureSeverity = CRITICAL) -> Expectation:
    return gxe.ExpectTableRowCountToEqual(value=count, severity=severity, description=f"{text}: {count:,}")


def _no_nulls(column: str) -> Expectation:
    return gxe.ExpectColumnValuesToNotBeNull(
        column=column, severity=CRITICAL, description=f"{column} is never absent"
    )


def _type(column: str, kind: str) -> Expectation:
    return gxe.ExpectColumnValuesToBeOfType(
        column=column, type_=kind, severity=CRITICAL, description=f"{column} is {kind}"
    )


def _positive(column: str) -> Expectation:
    return gxe.ExpectColumnValuesToBeBetween(
        column=column, min_value=0, strict_min=True, severity=CRITICAL, description=f"{column} is above zero"
    )


def _at_least(larger: str, smaller: str) -> Expectation:
    return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A=larger,
        column_B=smaller,
        or_equal=True,
        severity=CRITICAL,
        description=f"{larger} is never below {smaller}",
    )
