"""Connections to the product's database."""

from __future__ import annotations

from typing import Any

from bson.codec_options import CodecOptions
from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.database import Database

from cryptobot.settings import Settings

Document = dict[str, Any]

_AWARE: CodecOptions[Document] = CodecOptions(tz_aware=True)
_SELECTION_TIMEOUT_MS = 10_000


def connect(settings: Settings) -> Database[Document]:
    """Return the database for blocking code: majority writes, aware UTC dates."""
    client: MongoClient[Document] = MongoClient(
        settings.mongo_uri.get_secret_value(),
        tz_aware=True,
        w="majority",
        serverSelectionTimeoutMS=_SELECTION_TIMEOUT_MS,
    )
    return client.get_database(settings.mongo_database, codec_options=_AWARE)


def connect_async(settings: Settings) -> AsyncDatabase[Document]:
    """Return the database for async code; same guarantees as :func:`connect`."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        settings.mongo_uri.get_secret_value(),
        tz_aware=True,
        w="majority",
        serverSelectionTimeoutMS=_SELECTION_TIMEOUT_MS,
    )
    return client.get_database(settings.mongo_database, codec_options=_AWARE)
