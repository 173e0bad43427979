"""Alerts: what people are told, once, and the one function that writes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from cryptobot.alert_settings import Severity
from cryptobot.storage.collections import ALERT_COOLDOWNS, ALERTS
from cryptobot.storage.database import Document


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that people should know.

    Attributes
    ----------
    key
        Its identity: an alert of the same key is raised once, whoever raises it, however often.
    at
        The time of the data that it is about, from which the cool-down counts.
    cooldown
        For how long no other of its kind, symbol and ``details["direction"]`` is raised; zero: none.
    state
        The state that it tells of, which holds until :func:`resolve` ends it; meanwhile no other
        alert tells of the same. ``None`` where it is of one moment.
    """

    kind: str
    key: str
    severity: Severity
    symbol: str | None
    title: str
    message: str
    at: datetime
    cooldown: timedelta = timedelta(0)
    details: Mapping[str, Any] = field(default_factory=dict)
    state: str | None = None

    @property
    def group(self) -> str:
        """What shares its cool-down."""
        return "|".join((self.kind, self.symbol or "", str(self.details.get("direction", ""))))

    def document(self, now: datetime) -> Document:
        """Return the alert as it is stored; nobody has been told of it yet."""
        return {
            "_id": self.key,
            "kind": self.kind,
            "severity": self.severity,
            "symbol": self.symbol,
            "title": self.title,
            "message": self.message,
            "at": self.at,
            "created_at": now,
            "acknowledged_at": None,
            "details": dict(self.details),
            "deliveries": {},
            "delivered": False,
            **({"resolved_at": None, "open_state": self.state} if self.state else {}),
        }


def raise_alert(database: Database[Document], alert: Alert, now: datetime) -> bool:
    """Store an alert, and return whether it is new.

    It is not when its key was raised before, when an open alert tells of its state, or when another of
    its group was raised less than that one's cool-down before ``alert.at``. Any number of writers may
    call at once: the alert and the group's cool-down are written in one transaction, so that neither
    is without the other. Raises ``PyMongoError`` when MongoDB is away: call again with the same alert.
    """
    with database.client.start_session() as session:
        return _raise(database, alert, now, session)


def resolve(database: Database[Document], now: datetime, *, still: Collection[str] = (), **among: Any) -> int:
    """End the open alerts of a ``kind`` or an ``open_state``; return how many there were.

    Those whose keys ``still`` holds stay open.
    """
    ended = database[ALERTS].update_many(
        {"resolved_at": {"$type": "null"}, "_id": {"$nin": list(still)}, **among},
        {"$set": {"resolved_at": now}, "$unset": {"open_state": ""}},
    )
    return ended.modified_count


@retry(retry=retry_if_exception_type(DuplicateKeyError), stop=stop_after_attempt(5), reraise=True)
def _raise(database: Database[Document], alert: Alert, now: datetime, session: ClientSession) -> bool:
    """Raise unless it was raised; one that loses against another writer looks again."""
    same: list[Document] = [{"_id": alert.key}]
    if alert.state:
        same.append({"open_state": alert.state})
    if database[ALERTS].find_one({"$or": same}, {"_id": 1}) is not None:
        return False
    return session.with_transaction(lambda within: _claim(database, alert, now, within))


def _claim(database: Database[Document], alert: Alert, now: datetime, session: ClientSession) -> bool:
    if alert.cooldown:
        cooldowns, group = database[ALERT_COOLDOWNS], {"_id": alert.group}
        held = cooldowns.find_one(group, session=session)
        if held is not None and held["until"] > alert.at:
            return False
        until = {"until": alert.at + alert.cooldown, "alert": alert.key}
        cooldowns.update_one(group, {"$set": until}, upsert=True, session=session)
    database[ALERTS].insert_one(alert.document(now), session=session)
    return True
