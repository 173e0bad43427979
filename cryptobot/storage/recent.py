"""What arrived live lately, in ``streaming_data``: a bounded sample for the checks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pymongo.database import Database

from cryptobot.storage.collections import STREAMING_DATA
from cryptobot.storage.database import Document

Kind = Literal["kline", "trade", "ticker"]


def received_since(
    database: Database[Document], kind: Kind, since: datetime, limit: int
) -> Iterator[Document]:
    """Yield documents of a kind that were received from ``since`` on, the newest ``limit`` of them."""
    found = database[STREAMING_DATA].find({"kind": kind, "received_at": {"$gte": since}}, batch_size=10_000)
    return iter(found.sort("received_at", -1).limit(limit))
