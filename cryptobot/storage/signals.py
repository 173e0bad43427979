"""Repository of ``signals``, and of the feature rows that they are made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from pymongo import ASCENDING, DESCENDING, UpdateOne
from pymongo.database import Database

from cryptobot.market import kline_id
from cryptobot.market.instant import to_ms
from cryptobot.storage.collections import FEATURES, HISTORICAL_DATA, SIGNALS
from cryptobot.storage.database import Document


def add_signals(database: Database[Document], signals: Iterable[Document]) -> int:
    """Store the signals that are not there yet, by ``_id``; return how many were added."""
    updates = [UpdateOne({"_id": signal["_id"]}, {"$setOnInsert": signal}, upsert=True) for signal in signals]
    if not updates:
        return 0
    return database[SIGNALS].bulk_write(updates, ordered=False).upserted_count


def keep_first(database: Database[Document], signals: Sequence[Document]) -> list[Document]:
    """Store the signals that are not there yet, by ``_id``; return each as it is stored, in their order.

    Returns once a majority holds them. Raises ``PyMongoError`` when that is not known: call again with
    the same signals.
    """
    if not signals:
        return []
    updates = [UpdateOne({"_id": signal["_id"]}, {"$setOnInsert": signal}, upsert=True) for signal in signals]
    new = database[SIGNALS].bulk_write(updates, ordered=False).upserted_ids or {}
    before = [signal["_id"] for index, signal in enumerate(signals) if index not in new]
    stored = (
        {found["_id"]: found for found in database[SIGNALS].find({"_id": {"$in": before}})} if before else {}
    )
    return [stored.get(signal["_id"], signal) for signal in signals]


def live_open_times(
    database: Database[Document], symbol: str, version: str, since: datetime
) -> set[datetime]:
    """Return the open times, from ``since`` on, of which a model has given a live signal."""
    given = {
        "symbol": symbol,
        "open_time": {"$gte": since},
        "model_version": version,
        "source": "live",
    }
    return {signal["open_time"] for signal in database[SIGNALS].find(given, {"open_time": 1})}


def signals_since(
    database: Database[Document], symbol: str, interval: str, since: datetime
) -> Iterator[Document]:
    """Yield the signals of candles that open from ``since`` on, of any model, live and batch, in order."""
    given = {"symbol": symbol, "open_time": {"$gte": since}, "interval": interval}
    return iter(database[SIGNALS].find(given).sort("open_time", ASCENDING))


def signals_after(database: Database[Document], symbol: str, version: str, since: datetime) -> list[Document]:
    """Return what a model said of candles after ``since``, in rising order, one signal a candle.

    Each has ``open_time``, ``signal`` and ``probabilities``.
    """
    said = {"symbol": symbol, "model_version": version, "open_time": {"$gt": since}}
    fields = {"_id": 0, "open_time": 1, "signal": 1, "probabilities": 1}
    found = database[SIGNALS].find(said, fields, batch_size=10_000).sort("open_time", ASCENDING)
    return list({signal["open_time"]: signal for signal in found}.values())


def last_feature_rows(
    database: Database[Document], symbol: str, interval: str, version: str, count: int
) -> list[Document]:
    """Return the newest ``count`` rows of a feature set, in rising order, each with its ``candle``."""
    newest = (
        database[FEATURES]
        .find({"symbol": symbol, "interval": interval, "version": version})
        .sort("open_time", DESCENDING)
        .limit(count)
        .to_list()
    )
    keys = [kline_id(symbol, interval, to_ms(row["open_time"])) for row in newest]
    candles = {
        candle["_id"]: candle
        for candle in database[HISTORICAL_DATA].find(
            {"_id": {"$in": keys}}, {"open_time": 1, "close_time": 1, "close": 1}
        )
    }
    paired = zip(reversed(newest), reversed(keys), strict=True)
    return [{**row, "candle": candles[key]} for row, key in paired if key in candles]
