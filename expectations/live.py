"""What live data must be: arriving, of every symbol, and sound."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pandas as pd
from great_expectations import ExpectationSuite
from great_expectations.expectations import core as gxe
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity
from pymongo.database import Database

from cryptobot.storage.collections import STREAMING_DATA
from cryptobot.storage.database import Document
from cryptobot.storage.recent import Kind, received_since
from expectations.frames import frame_of
from expectations.validation import Asset

WINDOW = timedelta(minutes=15)
SAMPLE = 50_000
"""Documents of one kind that are looked at, at most: the newest of the window."""

LATEST_AGE = timedelta(minutes=2)
"""Trades and tickers come every second: nothing for so long means that the feed stands."""

_PRICES: dict[Kind, tuple[str, ...]] = {
    "trade": ("price", "quantity"),
    "ticker": ("open", "high", "low", "close"),
    "kline": ("open", "high", "low", "close"),
}
_CRITICAL, _WARNING = FailureSeverity.CRITICAL, FailureSeverity.WARNING


def live_assets(database: Database[Document], symbols: tuple[str, ...], now: datetime) -> Iterator[Asset]:
    """Yield trades, tickers and candles that were received in the window before ``now``."""
    for kind in ("trade", "ticker", "kline"):
        columns = ("_id", "kind", "symbol", "received_at", *_PRICES[kind])
        frame = frame_of(received_since(database, kind, now - WINDOW, SAMPLE), columns)
        frame["received_at"] = pd.to_datetime(frame["received_at"], utc=True).dt.tz_localize(None)
        yield Asset(f"{kind}s", frame, streaming_suite(kind, symbols, now.replace(tzinfo=None)))


def streaming_suite(kind: Kind, symbols: tuple[str, ...], now: datetime) -> ExpectationSuite:
    """Return what the newest documents of a kind must be; ``now`` is UTC without a zone.

    Candles close as seldom as their intervals say, so that only of trades and tickers is it
    critical when none came.
    """
    arriving = _WARNING if kind == "kline" else _CRITICAL
    mark = " (warning)" if kind == "kline" else ""
    oldest = now - (WINDOW if kind == "kline" else LATEST_AGE)
    expectations: list[Expectation] = [
        gxe.ExpectColumnMaxToBeBetween(
            column="received_at",
            min_value=oldest,
            severity=arriving,
            description=f"The newest came after {oldest:%Y-%m-%d %H:%M:%S}{mark}",
        ),
        gxe.ExpectColumnDistinctValuesToEqualSet(
            column="symbol",
            value_set=list(symbols),
            severity=arriving,
            description=f"Every configured symbol is among them, and no other{mark}",
        ),
        gxe.ExpectColumnValuesToBeUnique(column="_id", severity=_CRITICAL, description="Keys are unique"),
        gxe.ExpectColumnValuesToMatchRegex(
            column="_id", regex=rf"^{kind}\|", severity=_CRITICAL, description=f"Keys are those of a {kind}"
        ),
        *(
            gxe.ExpectColumnValuesToBeBetween(
                column=column,
                min_value=0,
                strict_min=True,
                severity=_CRITICAL,
                description=f"{column} is above zero",
            )
            for column in _PRICES[kind]
        ),
    ]
    return ExpectationSuite(name=f"{STREAMING_DATA}-{kind}s", expectations=expectations)
