"""Repository of the alerts as an outbox: what is to be delivered, and what has become of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pymongo.change_stream import CollectionChangeStream
from pymongo.database import Database

from cryptobot.storage.collections import ALERTS, OUTBOX_POSITIONS
from cryptobot.storage.database import Document

FINAL = ("sent", "failed")
_WAIT_MS = 500


@dataclass(frozen=True, slots=True)
class Delivery:
    """What has become of an alert at one channel; ``error`` never holds an address."""

    state: Literal["pending", "sent", "failed"]
    attempts: int
    error: str | None = None

    def document(self) -> Document:
        """Return the delivery as it is stored in the alert, at this moment."""
        told = {} if self.error is None else {"error": self.error}
        return {"state": self.state, "attempts": self.attempts, "at": datetime.now(UTC), **told}


def undelivered(database: Database[Document]) -> list[Document]:
    """Return the alerts that some channel has not finished with, the oldest first; equals by key."""
    return database[ALERTS].find({"delivered": False}).sort(["created_at", "_id"]).to_list()


def follow(database: Database[Document], token: Mapping[str, Any] | None) -> CollectionChangeStream[Document]:
    """Return the stream of new alerts, from after ``token`` on, or from now."""
    inserted = [{"$match": {"operationType": "insert"}}]
    return database[ALERTS].watch(inserted, resume_after=token, max_await_time_ms=_WAIT_MS)


def record(
    database: Database[Document], key: str, channel: str, delivery: Delivery, wanted: Collection[str]
) -> None:
    """Store what has become of an alert at a channel; it is delivered when all ``wanted`` are done."""
    database[ALERTS].update_one({"_id": key}, {"$set": {f"deliveries.{channel}": delivery.document()}})
    if delivery.state in FINAL:
        done: Document = {f"deliveries.{name}.state": {"$in": FINAL} for name in wanted}
        database[ALERTS].update_one({"_id": key, **done}, {"$set": {"delivered": True}})


def position(database: Database[Document], reader: str) -> Mapping[str, Any] | None:
    """Return the token from which ``reader`` goes on, if it has one."""
    found = database[OUTBOX_POSITIONS].find_one({"_id": reader})
    return found["token"] if found else None


def keep_position(database: Database[Document], reader: str, token: Mapping[str, Any] | None) -> None:
    """Store up to where ``reader`` has come; ``None`` forgets it."""
    if token is None:
        database[OUTBOX_POSITIONS].delete_one({"_id": reader})
        return
    told = {"token": token, "updated_at": datetime.now(UTC)}
    database[OUTBOX_POSITIONS].update_one({"_id": reader}, {"$set": told}, upsert=True)
