"""Repository of the live streams' holes in ``gaps``: trades and candles that did not come by stream.

They have a ``kind``, by which they are told from the holes of history.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from pymongo import UpdateMany, UpdateOne
from pymongo.database import Database

from cryptobot.market import Interval
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.storage.collections import GAPS
from cryptobot.storage.database import Document
from cryptobot.storage.gaps import OPEN, State


class LiveGap(NamedTuple):
    """A hole in one stream: trades ``first`` to ``last``, or candles that open from ``first`` to ``last``.

    ``start_ms`` and ``end_ms`` are market time: of the last event before the hole and of the first one
    after it for trades, of the first candle's opening and the last one's close for candles.
    """

    kind: Literal["trade", "kline"]
    symbol: str
    interval: str | None
    first: int
    last: int
    start_ms: int
    end_ms: int

    @property
    def key(self) -> str:
        """The ``_id``: ``trade|BTCUSDT|<first id>`` or ``kline|BTCUSDT|1m|<open ms>``."""
        return "|".join(
            (self.kind, self.symbol, *((self.interval,) if self.interval else ()), str(self.first))
        )


def record_open(database: Database[Document], gaps: Iterable[LiveGap], *, found_by: str) -> None:
    """Record holes as open; one that is recorded already keeps when and by whom it was found."""
    now = datetime.now(UTC)
    updates = [
        UpdateOne(
            {"_id": gap.key},
            {
                "$set": {**_of(gap), "to": from_ms(max(gap.end_ms, gap.start_ms + 1)), "state": OPEN},
                "$setOnInsert": {"from": from_ms(gap.start_ms), "found_by": found_by, "found_at": now},
            },
            upsert=True,
        )
        for gap in gaps
    ]
    if updates:
        database[GAPS].bulk_write(updates, ordered=False)


def mark(database: Database[Document], gaps: Iterable[LiveGap], state: State) -> None:
    """Set the state of open holes: these, and recorded ones that lie within them."""
    changes = {"state": state, f"{'repaired' if state == 'repaired' else 'asked'}_at": datetime.now(UTC)}
    updates = []
    for gap in gaps:
        within: dict[str, Any] = {"kind": gap.kind, "symbol": gap.symbol, "state": OPEN}
        if gap.kind == "trade":
            within |= {"first_id": {"$gte": gap.first}, "last_id": {"$lte": gap.last}}
        else:
            within |= {
                "interval": gap.interval,
                "from": {"$gte": from_ms(gap.first)},
                "to": {"$lte": from_ms(gap.end_ms)},
            }
        updates.append(UpdateMany(within, {"$set": changes}))
    if updates:
        database[GAPS].bulk_write(updates, ordered=False)


def open_gaps(database: Database[Document], older_than: timedelta = timedelta()) -> list[LiveGap]:
    """Return the live streams' open holes that were found longer ago than ``older_than``, oldest first."""
    query = {
        "kind": {"$in": ["trade", "kline"]},
        "state": OPEN,
        "found_at": {"$lt": datetime.now(UTC) - older_than},
    }
    return [_gap(found) for found in database[GAPS].find(query).sort("found_at")]


def _of(gap: LiveGap) -> Document:
    known: Document = {"kind": gap.kind, "symbol": gap.symbol}
    if gap.kind == "trade":
        return known | {"first_id": gap.first, "last_id": gap.last}
    return known | {"interval": gap.interval}


def _gap(found: Document) -> LiveGap:
    start, end = to_ms(found["from"]), to_ms(found["to"])
    if found["kind"] == "trade":
        return LiveGap("trade", found["symbol"], None, found["first_id"], found["last_id"], start, end)
    last = Interval(found["interval"]).floor(end - 1)
    return LiveGap("kline", found["symbol"], found["interval"], start, last, start, end)
