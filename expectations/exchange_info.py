"""What must be known of the pairs that are watched: that they trade, by which rules, and of late."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
from great_expectations import ExpectationSuite
from great_expectations.expectations import core as gxe
from pymongo.database import Database

from cryptobot.storage.collections import EXCHANGE_INFO
from cryptobot.storage.database import Document
from cryptobot.storage.quality_inputs import exchange_symbols
from expectations import terms
from expectations.frames import frame_of, naive
from expectations.terms import COMPLETENESS, TIMES, WARNING
from expectations.validation import Asset

FRESH_WITHIN = timedelta(days=2)
FILTERS = ("PRICE_FILTER", "LOT_SIZE")
"""Filters without which neither prices nor quantities can be judged."""

_COLUMNS = ("_id", "status", "base_asset", "quote_asset", "filters", "fetched_at")


def asset(database: Database[Document], symbols: tuple[str, ...], now: datetime) -> Asset:
    """Return what is stored of ``symbols``; ``now`` is the exchange's clock."""
    stored = frame_of(exchange_symbols(database), _COLUMNS)
    frame = stored[stored["_id"].isin(symbols)].reset_index(drop=True)
    lacking = [
        ", ".join(name for name in FILTERS if name not in (filters or {})) or None
        for filters in frame["filters"]
    ]
    frame = frame.drop(columns="filters").assign(
        fetched_at=naive(frame["fetched_at"]), lacking_filters=pd.Series(lacking, dtype="object")
    )
    return Asset(
        name="symbols",
        title="What the exchange says of the configured pairs",
        frame=frame,
        rows=len(frame),
        suite=exchange_info_suite(symbols, now.replace(tzinfo=None)),
    )


def exchange_info_suite(symbols: tuple[str, ...], now: datetime) -> ExpectationSuite:
    """Return what must be known of ``symbols``; ``now`` is UTC without a zone."""
    oldest = now - FRESH_WITHIN
    return terms.suite_of(
        f"{EXCHANGE_INFO}-symbols",
        [
            terms.expect(
                gxe.ExpectColumnDistinctValuesToContainSet,
                f"Every configured pair is known: {', '.join(symbols)}",
                group=COMPLETENESS,
                column="_id",
                value_set=list(symbols),
            ),
            terms.unique("_id", "One document a pair"),
            terms.among("status", ["TRADING"], "Every configured pair trades"),
            *(terms.present(column) for column in ("status", "base_asset", "quote_asset", "fetched_at")),
            terms.absent(
                "lacking_filters",
                f"The rules for prices and quantities are known ({', '.join(FILTERS)})",
                group=terms.IDENTITY,
                severity=terms.CRITICAL,
            ),
            terms.between(
                "fetched_at",
                f"It was read after {oldest:%Y-%m-%d %H:%M}",
                group=TIMES,
                severity=WARNING,
                min_value=oldest,
            ),
        ],
    )
