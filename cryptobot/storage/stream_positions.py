"""Repository of ``stream_positions``: how far each live stream is without a hole, as Kafka acknowledged it.

A position that is too old costs requests after a restart and nothing else; it is never too new.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from pymongo import UpdateOne
from pymongo.database import Database

from cryptobot.market.instant import from_ms, to_ms
from cryptobot.storage.collections import STREAM_POSITIONS, TRADE_RETENTION_SECONDS
from cryptobot.storage.database import Document

Kind = Literal["trade", "kline"]


class StreamPosition(NamedTuple):
    """The last trade id, or the last candle's open time in ms, up to which nothing is missing."""

    kind: Kind
    symbol: str
    interval: str | None
    position: int
    event_ms: int
    """When that trade was made, or that candle opened."""

    @property
    def key(self) -> str:
        """The stream's ``_id``: ``trade|BTCUSDT`` or ``kline|BTCUSDT|1m``."""
        return "|".join((self.kind, self.symbol, *((self.interval,) if self.interval else ())))


def load_positions(
    database: Database[Document], exchange: str, symbols: Iterable[str]
) -> list[StreamPosition]:
    """Return the positions in the streams of ``exchange`` (its name in the settings) for ``symbols``.

    Those of trades that were recorded longer ago than trades are kept are left out: what has been missed
    since would be fetched only to be past its time.
    """
    kept_since = datetime.now(UTC) - timedelta(seconds=TRADE_RETENTION_SECONDS)
    wanted = {
        "exchange": exchange,
        "symbol": {"$in": list(symbols)},
        "$or": [{"kind": "kline"}, {"updated_at": {"$gte": kept_since}}],
    }
    return [
        StreamPosition(
            found["kind"],
            found["symbol"],
            found.get("interval"),
            int(found["position"]),
            to_ms(found["event_time"]),
        )
        for found in database[STREAM_POSITIONS].find(wanted)
    ]


def save_positions(database: Database[Document], exchange: str, positions: Iterable[StreamPosition]) -> None:
    """Record positions; raises ``PyMongoError`` when that is not known to have been done."""
    now = datetime.now(UTC)
    updates = [
        UpdateOne(
            {"_id": one.key},
            {
                "$set": {
                    "kind": one.kind,
                    "symbol": one.symbol,
                    **({"interval": one.interval} if one.interval else {}),
                    "exchange": exchange,
                    "position": one.position,
                    "event_time": from_ms(one.event_ms),
                    "updated_at": now,
                }
            },
            upsert=True,
        )
        for one in positions
    ]
    if updates:
        database[STREAM_POSITIONS].bulk_write(updates, ordered=False)
