"""Holes of the candles that a reconciliation closes, or asks the exchange about once more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from pymongo import DESCENDING, UpdateOne
from pymongo.database import Database

from cryptobot.exchange.rest import RestClient
from cryptobot.market import Interval, Span
from cryptobot.storage.collections import GAPS
from cryptobot.storage.database import Document
from cryptobot.storage.gaps import ABSENT, OPEN, REPAIRED

ASKED_AGAIN_FOR = timedelta(days=7)
"""How long a hole is asked about each day: an exchange that fills one in does so within days."""

ASKED_AT_ONCE = 200
"""Holes that one reconciliation asks about, the newest first: a request each."""


def record_live_repairs(database: Database[Document], repaired: Iterable[Span]) -> int:
    """Record stretches of candles that never arrived live and were put in; return how many are new."""
    updates = [
        UpdateOne(
            {"_id": f"live|{hole.symbol}|{hole.interval}|{hole.start_ms}"},
            {
                "$setOnInsert": {
                    "symbol": hole.symbol,
                    "interval": hole.interval.value,
                    "kind": "kline",
                    "from": hole.start,
                    "found_by": "reconciliation",
                    "repaired_at": datetime.now(UTC),
                },
                "$set": {"to": hole.end, "state": REPAIRED},
            },
            upsert=True,
        )
        for hole in repaired
    ]
    return database[GAPS].bulk_write(updates, ordered=False).upserted_count if updates else 0


def now_answered(
    database: Database[Document],
    exchange: RestClient,
    symbols: Sequence[str],
    now: datetime,
    *,
    until: datetime,
) -> list[Span]:
    """Ask the exchange about the recorded holes of the days before ``until``; return those it can fill.

    A hole of which it still has no candle is absent at the source.
    """
    wanted = {
        "state": {"$in": [OPEN, ABSENT]},
        "symbol": {"$in": list(symbols)},
        "interval": {"$exists": True},
        "kind": {"$exists": False},
        "from": {"$gte": until - ASKED_AGAIN_FOR, "$lt": until},
    }
    answered, silent = [], []
    for gap in database[GAPS].find(wanted).sort("from", DESCENDING).limit(ASKED_AT_ONCE):
        hole = Span(gap["symbol"], Interval(gap["interval"]), gap["from"], gap["to"])
        if next(iter(exchange.klines(hole, now)), None):
            answered.append(hole)
        else:
            silent.append(gap["_id"])
    database[GAPS].update_many(
        {"_id": {"$in": silent}}, {"$set": {"state": ABSENT, "asked_at": datetime.now(UTC)}}
    )
    return answered
