"""What a day's live candles must be: those that REST or the archive gives, in every field."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from great_expectations import ExpectationSuite
from great_expectations.expectations import core as gxe
from pymongo.database import Database

from cryptobot.market.span import Span
from cryptobot.storage import candles
from cryptobot.storage.database import Document
from cryptobot.storage.quality_inputs import live_klines
from expectations import terms
from expectations.equality import ExpectLiveCandlesToEqualRest
from expectations.frames import PRICE_COLUMNS, VOLUME_COLUMNS, naive
from expectations.terms import COMPLETENESS, IDENTITY, WARNING
from expectations.validation import Asset

EQUALITY = "Live against REST"

_FIELDS = ("close_time", *PRICE_COLUMNS, *VOLUME_COLUMNS, "trades")
_LIVE, _REST = ([f"{field} ({side})" for field in _FIELDS] for side in ("live", "REST"))


def asset(database: Database[Document], span: Span) -> Asset:
    """Return a day of one symbol and interval as it is in both collections."""
    frame = both_sides(live_klines(database, span), candles.documents(database, span))
    return Asset(
        name=f"{span.symbol}-{span.interval}",
        title=f"{span.symbol}, live candles of {span.interval}",
        frame=frame,
        rows=len(frame),
        suite=reconciliation_suite(f"reconciliation-{span.symbol}-{span.interval}"),
        start=span.start,
        end=span.end,
    )


def both_sides(live: Iterable[Document], rest: Iterable[Document]) -> pd.DataFrame:
    """Return one row a candle that either side has: ``_id``, the fields of each, and what one side lacks."""
    left = _side(live, _LIVE, prefix="kline|")
    right = _side(rest, _REST)
    frame = left.merge(right, on="_id", how="outer").sort_values("_id", ignore_index=True)
    return frame.assign(
        not_live=_lacking(frame["_id"], left["_id"], "not received live"),
        not_rest=_lacking(frame["_id"], right["_id"], "not in historical_data"),
    )


def reconciliation_suite(name: str) -> ExpectationSuite:
    """Return what both sides of a day must be to each other."""
    return terms.suite_of(
        name,
        [
            terms.expect(
                ExpectLiveCandlesToEqualRest,
                "Each live candle equals the one of historical_data in every field",
                group=EQUALITY,
                column_list=[*_LIVE, *_REST],
            ),
            terms.absent(
                "not_live",
                "Every candle of historical_data came live too",
                group=COMPLETENESS,
                severity=WARNING,
            ),
            terms.absent(
                "not_rest",
                "Every live candle is in historical_data too",
                group=COMPLETENESS,
                severity=WARNING,
            ),
            terms.expect(
                gxe.ExpectColumnValuesToBeUnique,
                "One candle per key on each side",
                group=IDENTITY,
                column="_id",
            ),
        ],
    )


def _side(documents: Iterable[Document], columns: list[str], prefix: str = "") -> pd.DataFrame:
    rows = [
        [document["_id"].removeprefix(prefix), *(document.get(field) for field in _FIELDS)]
        for document in documents
    ]
    frame = pd.DataFrame(rows, columns=["_id", *columns])
    frame[columns[0]] = naive(frame[columns[0]])
    return frame


def _lacking(keys: pd.Series, held: pd.Series, word: str) -> pd.Series:
    return pd.Series([None if found else word for found in keys.isin(held)], dtype="object")
