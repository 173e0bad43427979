"""Repository of ``gaps``: holes in the candles' grid, found, recorded and never filled by invention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from pymongo import UpdateOne
from pymongo.database import Database

from cryptobot.market.instant import from_ms, to_ms
from cryptobot.market.span import Span
from cryptobot.storage.collections import GAPS
from cryptobot.storage.database import Document

State = Literal["open", "repaired", "absent at the source"]
OPEN: State = "open"
REPAIRED: State = "repaired"
ABSENT: State = "absent at the source"


def find_gaps(span: Span, open_times: Iterable[datetime]) -> Iterator[Span]:
    """Yield the runs of missing candles among ``open_times``, which are in order, within ``span``.

    A gap begins at the first missing open time and ends, exclusive, where candles go on.
    """
    interval = span.interval
    expected_ms = interval.floor(span.start_ms)
    if expected_ms < span.start_ms:
        expected_ms = interval.following(expected_ms)
    for open_time in open_times:
        slot_ms = interval.floor(to_ms(open_time))
        if slot_ms > expected_ms:
            yield Span(span.symbol, interval, from_ms(expected_ms), from_ms(slot_ms))
        expected_ms = interval.following(slot_ms)
    if expected_ms < span.end_ms:
        yield Span(span.symbol, interval, from_ms(expected_ms), span.end)


def record_gaps(
    database: Database[Document], span: Span, gaps: Iterable[Span], *, found_by: str, state: State
) -> int:
    """Store the span's gaps as they are now, mark recorded ones that are gone repaired; return how many."""
    found = {f"{gap.symbol}|{gap.interval}|{gap.start_ms}": gap for gap in gaps}
    updates = [
        UpdateOne(
            {"_id": key},
            {
                "$set": {
                    "symbol": gap.symbol,
                    "interval": gap.interval.value,
                    "from": gap.start,
                    "to": gap.end,
                    "found_by": found_by,
                    "state": state,
                }
            },
            upsert=True,
        )
        for key, gap in found.items()
    ]
    if updates:
        database[GAPS].bulk_write(updates, ordered=False)
    database[GAPS].update_many(
        {
            "symbol": span.symbol,
            "interval": span.interval.value,
            "from": {"$gte": span.start, "$lt": span.end},
            "_id": {"$nin": list(found)},
        },
        {"$set": {"state": REPAIRED}},
    )
    return len(found)
