"""Reads of ``alerts`` for whoever looks back on them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pymongo import ASCENDING
from pymongo.database import Database

from cryptobot.storage.collections import ALERTS
from cryptobot.storage.database import Document


def raised_since(database: Database[Document], since: datetime) -> Iterator[Document]:
    """Yield the alerts that were raised from ``since`` on, whole, the oldest first."""
    return iter(database[ALERTS].find({"created_at": {"$gte": since}}).sort("created_at", ASCENDING))
