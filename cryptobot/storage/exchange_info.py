"""Repository of ``exchange_info``: one document a symbol, the latest known."""

from __future__ import annotations

from collections.abc import Iterable

from pymongo import ReplaceOne
from pymongo.database import Database

from cryptobot.storage.collections import EXCHANGE_INFO
from cryptobot.storage.database import Document


def save_symbols(database: Database[Document], documents: Iterable[Document]) -> None:
    """Replace the documents of these symbols."""
    replacements = [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents]
    if replacements:
        database[EXCHANGE_INFO].bulk_write(replacements, ordered=False)
