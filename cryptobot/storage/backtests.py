"""Repository of ``backtests``: out-of-sample results, one document a model version."""

from __future__ import annotations

from pymongo import DESCENDING
from pymongo.database import Database

from cryptobot.storage.collections import BACKTESTS
from cryptobot.storage.database import Document


def save(database: Database[Document], backtest: Document) -> None:
    """Store the results of a version under its ``_id``; made again, they replace themselves."""
    database[BACKTESTS].replace_one({"_id": backtest["_id"]}, backtest, upsert=True)


def newest(database: Database[Document], symbol: str, limit: int = 20) -> list[Document]:
    """Return the symbol's newest results first."""
    return list(database[BACKTESTS].find({"symbol": symbol}).sort("created_at", DESCENDING).limit(limit))
