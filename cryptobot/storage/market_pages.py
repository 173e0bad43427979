"""Reads of what is known of symbols: what the exchange says of them, and their latest tickers."""

from __future__ import annotations

from collections.abc import Iterable

from pymongo.asynchronous.database import AsyncDatabase

from cryptobot.storage.collections import EXCHANGE_INFO, STREAMING_DATA
from cryptobot.storage.database import Document


async def known_symbols(database: AsyncDatabase[Document], symbols: Iterable[str]) -> dict[str, Document]:
    """Return what exchange_info holds of ``symbols``, by symbol."""
    found = await database[EXCHANGE_INFO].find({"_id": {"$in": list(symbols)}}).to_list()
    return {document["_id"]: document for document in found}


async def latest_tickers(database: AsyncDatabase[Document], symbols: Iterable[str]) -> list[Document]:
    """Return the tickers there are of ``symbols``, in their order of name."""
    keys = [f"ticker|{symbol}" for symbol in symbols]
    return await database[STREAMING_DATA].find({"_id": {"$in": keys}}).sort("_id").to_list()
