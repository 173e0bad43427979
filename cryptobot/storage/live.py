"""Repository of what arrives live: ``streaming_data``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pymongo import ReplaceOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from cryptobot.storage.collections import STREAMING_DATA
from cryptobot.storage.database import Document

DUPLICATE_KEY = 11000
REFUSALS = frozenset({2, 121, 10334})
"""BadValue, DocumentValidationFailure, BSONObjectTooLarge: faults of a document, for ever."""


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of one bulk write.

    Attributes
    ----------
    inserted
        How many documents are new; one that was there before is not counted.
    refused
        Position in the input and reason of each document that the server does not accept.
    """

    inserted: int
    refused: list[tuple[int, str]] = field(default_factory=list)


def insert_new(database: Database[Document], documents: Sequence[Document]) -> Written:
    """Insert trades and closed klines; those whose ``_id`` is there already stay as they are.

    Returns once a majority holds the documents. Raises ``PyMongoError`` when that is not known:
    call again with the same documents.
    """
    if not documents:
        return Written(0)
    try:
        result = database[STREAMING_DATA].insert_many(documents, ordered=False)
    except BulkWriteError as error:
        return _outcome(error)
    return Written(len(result.inserted_ids))


def keep_latest(database: Database[Document], tickers: Iterable[Document]) -> Written:
    """Replace each ticker unless the stored one was received later; raises as :func:`insert_new`."""
    operations = [
        ReplaceOne(
            {"_id": ticker["_id"], "received_at": {"$lte": ticker["received_at"]}}, ticker, upsert=True
        )
        for ticker in tickers
    ]
    if not operations:
        return Written(0)
    try:
        database[STREAMING_DATA].bulk_write(operations, ordered=False)
    except BulkWriteError as error:
        return _outcome(error)
    return Written(0)


def _outcome(error: BulkWriteError) -> Written:
    outcome = error.details or {}
    faults = [fault for fault in outcome["writeErrors"] if fault["code"] != DUPLICATE_KEY]
    if outcome["writeConcernErrors"] or any(fault["code"] not in REFUSALS for fault in faults):
        raise error  # of the server's state, such as a change of the primary
    return Written(
        int(outcome["nInserted"]), [(int(fault["index"]), str(fault["errmsg"])) for fault in faults]
    )


def newest_tickers(database: Database[Document], symbols: Iterable[str]) -> dict[str, datetime]:
    """Return when each symbol's latest ticker was received; one without any is left out."""
    keys = [f"ticker|{symbol}" for symbol in symbols]
    return {
        ticker["symbol"]: ticker["received_at"]
        for ticker in database[STREAMING_DATA].find({"_id": {"$in": keys}}, {"symbol": 1, "received_at": 1})
    }


def newest_klines(
    database: Database[Document], symbols: Iterable[str], intervals: Sequence[str]
) -> dict[str, datetime]:
    """Return the open time of the newest stored candle by ``SYMBOL|interval``."""
    found = {}
    for symbol in symbols:
        for interval in intervals:
            newest = database[STREAMING_DATA].find_one(
                {"kind": "kline", "symbol": symbol, "interval": interval}, sort=[("open_time", -1)]
            )
            if newest is not None:
                found[f"{symbol}|{interval}"] = newest["open_time"]
    return found
