"""What checks of the data ask the database for beside the rows themselves: all of it bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from cryptobot.market.instant import to_ms
from cryptobot.market.span import Span
from cryptobot.storage.collections import (
    CORRECTIONS,
    EXCHANGE_INFO,
    FEATURES,
    GAPS,
    HISTORICAL_DATA,
    QUARANTINE,
    STREAMING_DATA,
)
from cryptobot.storage.database import Document
from cryptobot.storage.gaps import ABSENT

_BATCH = 10_000


@dataclass(frozen=True)
class Records:
    """Documents that speak of a range: how many, and the first of them."""

    total: int
    first: list[Document]


def absent_ranges(database: Database[Document], span: Span) -> list[tuple[int, int]]:
    """Return the span's holes that are recorded as absent at the source: ``[from, to)`` in ms, in order."""
    found = database[GAPS].find(
        {
            "symbol": span.symbol,
            "interval": span.interval.value,
            "state": ABSENT,
            "from": {"$lt": span.end},
            "to": {"$gt": span.start},
        },
        {"from": 1, "to": 1},
    )
    return [(to_ms(gap["from"]), to_ms(gap["to"])) for gap in found.sort("from", ASCENDING)]


def quarantined(database: Database[Document], span: Span, limit: int) -> Records:
    """Return the span's rows that are kept apart, unresolved."""
    return _records(database, QUARANTINE, {**_within(span), "state": "open"}, limit)


def corrected(database: Database[Document], span: Span, limit: int) -> Records:
    """Return the span's candles that the exchange has corrected, or that an overwrite removed."""
    return _records(database, CORRECTIONS, _within(span), limit)


def figures_between(
    database: Database[Document], span: Span, fields: Sequence[str], limit: int
) -> Iterator[Document]:
    """Yield ``fields`` of the span's newest candles, at most ``limit`` of them, the newest first."""
    found = database[HISTORICAL_DATA].find(
        _within(span), {"_id": 0, **dict.fromkeys(fields, 1)}, batch_size=_BATCH
    )
    return iter(found.sort(_by_time(DESCENDING)).limit(limit))


def feature_documents(database: Database[Document], span: Span, version: str) -> Iterator[Document]:
    """Yield the span's features of ``version``, whole, in order of open time."""
    found = database[FEATURES].find({**_within(span), "version": version}, batch_size=_BATCH)
    return iter(found.sort("open_time", ASCENDING))


def bounds(database: Database[Document], name: str, span: Span) -> tuple[datetime, datetime] | None:
    """Return the open times of the span's first and last document in collection ``name``, if any."""
    found = database[name].find(_within(span), {"_id": 0, "open_time": 1})
    first, last = (next(found.clone().sort(_by_time(way)).limit(1), None) for way in (ASCENDING, DESCENDING))
    return (first["open_time"], last["open_time"]) if first and last else None


def live_klines(database: Database[Document], span: Span) -> Iterator[Document]:
    """Yield the span's candles as they came by WebSocket, in order."""
    found = database[STREAMING_DATA].find({"kind": "kline", **_within(span)}, batch_size=_BATCH)
    return iter(found.sort("open_time", ASCENDING))


def exchange_symbols(database: Database[Document]) -> Iterator[Document]:
    """Yield what is known of each symbol, in order."""
    return iter(database[EXCHANGE_INFO].find().sort("_id", ASCENDING))


def _by_time(way: int) -> list[tuple[str, int]]:
    """Return the order of the collections' index of ranges."""
    return [("symbol", way), ("interval", way), ("open_time", way)]


def _records(database: Database[Document], name: str, wanted: Document, limit: int) -> Records:
    collection = database[name]
    total = collection.count_documents(wanted)
    return Records(total, list(collection.find(wanted).sort("open_time", ASCENDING).limit(limit)))


def _within(span: Span) -> Document:
    return {
        "symbol": span.symbol,
        "interval": span.interval.value,
        "open_time": {"$gte": span.start, "$lt": span.end},
    }
