"""Repository of ``drift``: how far from its training the market of a model is, one document a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pymongo import DESCENDING, ReplaceOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.database import Database

from cryptobot.storage.collections import DRIFT
from cryptobot.storage.database import Document


def drift_id(symbol: str, version: str, day: datetime) -> str:
    """Return the ``_id`` of the day's document: ``SYMBOL|version|YYYY-MM-DD``."""
    return f"{symbol}|{version}|{day:%Y-%m-%d}"


def save(database: Database[Document], days: Iterable[Document]) -> int:
    """Store the days of a model under their ``_id``; measured again, they replace themselves."""
    replaced = [ReplaceOne({"_id": day["_id"]}, day, upsert=True) for day in days]
    if replaced:
        database[DRIFT].bulk_write(replaced, ordered=False)
    return len(replaced)


async def of_version(database: AsyncDatabase[Document], version: str, limit: int) -> list[Document]:
    """Return the newest ``limit`` days of a model, in rising order."""
    found = await database[DRIFT].find({"version": version}).sort("day", DESCENDING).limit(limit).to_list()
    return found[::-1]
