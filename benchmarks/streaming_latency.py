"""From the exchange's event to the document that can be read: measured by a reader of MongoDB.

The reader asks every few milliseconds, by the index of trades and with majority read concern, for what
is stored beyond the last trade up to which it has seen all. A trade's latency is the time at which the
answer with it came, less the event's own time; so it contains the exchange's own tick and the reader's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from cryptobot.market.instant import to_ms
from cryptobot.storage.collections import STREAMING_DATA
from cryptobot.storage.database import Document

READ_EVERY_S = 0.01
_FIELDS = {"_id": 0, "trade_id": 1, "event_time": 1}


def percentiles(latencies_ms: Sequence[float]) -> dict[str, float]:
    """Return p50, p95, p99 and max; raises ``RuntimeError`` where there is nothing to be measured."""
    values = np.array(latencies_ms)
    if not len(values):
        raise RuntimeError("nothing was stored while latency was measured; see the daemons' logs")
    return {f"p{q}": float(np.percentile(values, q)) for q in (50, 95, 99)} | {"max": float(values.max())}


@dataclass
class _Seen:
    """A symbol's trades: all up to ``complete`` were seen, of those beyond some."""

    complete: int
    beyond: set[int] = field(default_factory=set)

    def take(self, trade_id: int) -> bool:
        """Take in a trade; tell whether it is new."""
        if trade_id <= self.complete or trade_id in self.beyond:
            return False
        self.beyond.add(trade_id)
        while self.complete + 1 in self.beyond:
            self.complete += 1
            self.beyond.remove(self.complete)
        return True


class Reader(threading.Thread):
    """Reads trades as they become readable, and notes how old each is."""

    def __init__(self, database: Database[Document], symbols: Sequence[str]) -> None:
        super().__init__(name="reader", daemon=True)
        self._trades = database.get_collection(STREAMING_DATA, read_concern=ReadConcern("majority"))
        self._seen = {symbol: _Seen(_newest(database, symbol)) for symbol in symbols}
        self._over = threading.Event()
        self.latencies_ms: list[float] = []

    def run(self) -> None:
        """Read until :meth:`end`."""
        while not self._over.wait(READ_EVERY_S):
            for symbol, seen in self._seen.items():
                self._read(symbol, seen)

    def end(self) -> None:
        """Read no more."""
        self._over.set()
        self.join()

    def _read(self, symbol: str, seen: _Seen) -> None:
        query = {"kind": "trade", "symbol": symbol, "trade_id": {"$gt": seen.complete}}
        found = list(self._trades.find(query, _FIELDS, batch_size=100_000))
        now_ms = time.time() * 1_000
        for trade in found:
            if seen.take(trade["trade_id"]):
                self.latencies_ms.append(now_ms - to_ms(trade["event_time"]))


def _newest(database: Database[Document], symbol: str) -> int:
    newest = database[STREAMING_DATA].find_one({"kind": "trade", "symbol": symbol}, sort=[("trade_id", -1)])
    if newest is None:
        raise RuntimeError(f"no trade of {symbol} is stored; see the daemons' logs")
    return int(newest["trade_id"])
