"""Reads of closed candles, recorded and live: pages for people, the last ones for models.

``historical_data`` and the klines of ``streaming_data`` are read as one; where both hold a
candle, the recorded one counts.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.database import Database

from cryptobot.market import kline_id
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.storage.collections import HISTORICAL_DATA, STREAMING_DATA
from cryptobot.storage.database import Document
from cryptobot.storage.pages import Page, decode_cursor, encode_cursor

CANDLE_FIELDS = (
    "symbol",
    "interval",
    "open_time",
    "close_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
    "taker_buy_base",
    "taker_buy_quote",
)
_PROJECTION = {"_id": 0, **dict.fromkeys(CANDLE_FIELDS, 1)}
_OLDER, _NEWER = "candles-older", "candles-newer"


async def candle_page(
    database: AsyncDatabase[Document],
    symbol: str,
    interval: str,
    *,
    start: datetime | None,
    end: datetime | None,
    limit: int,
    cursor: str | None,
) -> Page:
    """Return closed candles with open times in ``[start, end)``, in rising order.

    With ``start`` the pages run from there to newer candles; without it the first page holds
    the newest and the next ones older candles, as a chart asks for them.
    """
    forward = start is not None
    opened: dict[str, datetime] = {}
    if start is not None:
        opened["$gte"] = start
    if end is not None:
        opened["$lt"] = end
    if cursor is not None:
        at = from_ms(decode_cursor(_NEWER if forward else _OLDER, cursor)[0])
        if forward:
            opened["$gte"] = max(at, opened["$gte"])
        else:
            opened["$lt"] = min(at, opened.get("$lt", at))
    direction = ASCENDING if forward else DESCENDING
    recorded, live = await asyncio.gather(
        *(
            database[name].find(wanted, _PROJECTION).sort("open_time", direction).limit(limit + 1).to_list()
            for name, wanted in _sources(symbol, interval, opened)
        )
    )
    merged = list(_merge(recorded, live, descending=not forward))
    items, beyond = merged[:limit], merged[limit:]
    if forward:
        following = encode_cursor(_NEWER, to_ms(beyond[0]["open_time"])) if beyond else None
        return Page(items, following)
    following = encode_cursor(_OLDER, to_ms(items[-1]["open_time"])) if beyond else None
    return Page(items[::-1], following)


def last_candles(
    database: Database[Document], symbol: str, interval: str, count: int, before: datetime | None = None
) -> list[Document]:
    """Return the newest ``count`` closed candles (that open before ``before``), in rising order."""
    opened = {"$lt": before} if before is not None else {}
    recorded, live = (
        database[name].find(wanted, _PROJECTION).sort("open_time", DESCENDING).limit(count).to_list()
        for name, wanted in _sources(symbol, interval, opened)
    )
    return list(_merge(recorded, live, descending=True))[:count][::-1]


def find_candles(
    database: Database[Document], symbol: str, interval: str, opened: Sequence[int]
) -> list[Document]:
    """Return those closed candles that open at the times ``opened`` (ms), in rising order."""
    keys = [kline_id(symbol, interval, open_ms) for open_ms in opened]
    recorded, live = (
        database[name].find({"_id": {"$in": wanted}}, _PROJECTION).sort("open_time", DESCENDING).to_list()
        for name, wanted in ((HISTORICAL_DATA, keys), (STREAMING_DATA, [f"kline|{key}" for key in keys]))
    )
    return list(_merge(recorded, live, descending=True))[::-1]


def last_open_time(database: Database[Document], symbol: str, interval: str) -> datetime | None:
    """Return the open time of the newest closed candle; ``None`` where there is none."""
    newest = last_candles(database, symbol, interval, 1)
    return newest[0]["open_time"] if newest else None


def _sources(symbol: str, interval: str, opened: Document) -> list[tuple[str, Document]]:
    wanted: Document = {"symbol": symbol, "interval": interval}
    if opened:
        wanted["open_time"] = opened
    return [(HISTORICAL_DATA, wanted), (STREAMING_DATA, {"kind": "kline", **wanted})]


def _merge(recorded: Iterable[Document], live: Iterable[Document], *, descending: bool) -> Iterator[Document]:
    """Yield both lists as one in their order; of equals the recorded candle (merging is stable)."""

    def opened(candle: Document) -> datetime:
        at: datetime = candle["open_time"]
        return at

    both = heapq.merge(recorded, live, key=opened, reverse=descending)
    return (next(same) for _, same in groupby(both, key=opened))
