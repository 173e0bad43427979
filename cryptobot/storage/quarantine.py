"""Repository of ``quarantine``: rows that the exchange gave and that are not stored as candles.

An entry is ``open`` until an acceptable candle of its key is stored, then ``resolved``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pymongo import UpdateOne
from pymongo.database import Database

from cryptobot.market.span import Span
from cryptobot.storage.batches import batched
from cryptobot.storage.candles import stored_keys
from cryptobot.storage.collections import QUARANTINE
from cryptobot.storage.database import Document

OPEN, RESOLVED = "open", "resolved"
_BATCH = 1_000


def add(database: Database[Document], entries: Iterable[Document]) -> None:
    """Store entries by ``_id``; one that is there stays as it was found.

    Each has ``symbol``, ``interval``, ``open_time`` (None where it cannot be read), ``reason``,
    ``fields``, ``source`` and, where a field could not be read, ``raw``.
    """
    now = datetime.now(UTC)
    for batch in batched(entries, _BATCH):
        database[QUARANTINE].bulk_write(
            [
                UpdateOne(
                    {"_id": entry["_id"]},
                    {"$setOnInsert": {**entry, "found_at": now, "state": OPEN}},
                    upsert=True,
                )
                for entry in batch
            ],
            ordered=False,
        )


def resolve(database: Database[Document], span: Span) -> None:
    """Mark the span's entries resolved whose candle is stored by now."""
    waiting = database[QUARANTINE].find(_open_within(span), {"_id": 1})
    for batch in batched(waiting, _BATCH):
        keys = {entry["_id"]: key_of(entry["_id"]) for entry in batch}
        held = stored_keys(database, set(keys.values()))
        done = [entry for entry, key in keys.items() if key in held]
        if done:
            database[QUARANTINE].update_many({"_id": {"$in": done}}, {"$set": {"state": RESOLVED}})


def open_times(database: Database[Document], span: Span) -> list[datetime]:
    """Return the open times, in order and each once, at which the span has only quarantined rows."""
    return sorted(database[QUARANTINE].distinct("open_time", _open_within(span)))


def key_of(entry_id: str) -> str:
    """Return the key of the candle that a quarantined row would be."""
    return entry_id.rsplit("|", 1)[0]


def _open_within(span: Span) -> Document:
    return {
        "symbol": span.symbol,
        "interval": span.interval.value,
        "open_time": {"$gte": span.start, "$lt": span.end},
        "state": OPEN,
    }
