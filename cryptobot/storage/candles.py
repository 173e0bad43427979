"""Repository of ``historical_data``: closed candles by symbol, interval and range."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from pymongo import ASCENDING
from pymongo.database import Database

from cryptobot.market.span import Span
from cryptobot.storage.collections import HISTORICAL_DATA
from cryptobot.storage.database import Document

_BATCH = 10_000


def count(database: Database[Document], span: Span) -> int:
    """Return how many candles of the span are stored."""
    return database[HISTORICAL_DATA].count_documents(_within(span))


def open_times(database: Database[Document], span: Span) -> Iterator[datetime]:
    """Yield the open times of the span's stored candles, in order; answered by the index alone."""
    cursor = database[HISTORICAL_DATA].find(_within(span), {"_id": 0, "open_time": 1}, batch_size=_BATCH)
    return (document["open_time"] for document in cursor.sort(_IN_ORDER))


def documents(database: Database[Document], span: Span) -> Iterator[Document]:
    """Yield the span's stored candles, whole, in order of open time."""
    return iter(database[HISTORICAL_DATA].find(_within(span), batch_size=_BATCH).sort(_IN_ORDER))


def stored_keys(database: Database[Document], keys: Iterable[str]) -> set[str]:
    """Return those of ``keys`` under which a candle is stored."""
    found = database[HISTORICAL_DATA].find({"_id": {"$in": list(keys)}}, {"_id": 1})
    return {document["_id"] for document in found}


def remove(database: Database[Document], keys: Iterable[str]) -> int:
    """Remove the candles stored under ``keys``; return how many there were."""
    return database[HISTORICAL_DATA].delete_many({"_id": {"$in": list(keys)}}).deleted_count


_IN_ORDER = [("symbol", ASCENDING), ("interval", ASCENDING), ("open_time", ASCENDING)]


def _within(span: Span) -> Document:
    return {
        "symbol": span.symbol,
        "interval": span.interval.value,
        "open_time": {"$gte": span.start, "$lt": span.end},
    }
