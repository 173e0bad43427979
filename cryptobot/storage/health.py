"""What each running instance of a service says of itself, in ``service_health``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from pymongo.database import Database

from cryptobot.storage.collections import SERVICE_HEALTH
from cryptobot.storage.database import Document

REPORT_EVERY_SECONDS = 5.0
ALIVE_WITHIN_SECONDS = 15.0
"""An instance that has not reported for three turns is taken for dead."""


def report_health(
    database: Database[Document],
    service: str,
    instance: str,
    state: Literal["healthy", "unhealthy"],
    detail: Document,
) -> None:
    """Record the state of one instance of a service, as seen now."""
    identity = {"_id": f"{service}:{instance}", "service": service, "instance": instance}
    report = {**identity, "state": state, "seen_at": datetime.now(UTC), "detail": detail}
    database[SERVICE_HEALTH].replace_one({"_id": identity["_id"]}, report, upsert=True)


def withdraw_health(database: Database[Document], service: str, instance: str) -> None:
    """Forget an instance that stops in good order, and those of its service long unseen."""
    database[SERVICE_HEALTH].delete_one({"_id": f"{service}:{instance}"})
    forget_unseen(database, service)


def forget_unseen(database: Database[Document], service: str, seconds: float = 60) -> None:
    """Forget the instances of ``service`` that ended without a word more than ``seconds`` ago."""
    unseen = {"$lt": datetime.now(UTC) - timedelta(seconds=seconds)}
    database[SERVICE_HEALTH].delete_many({"service": service, "seen_at": unseen})


def live_instances(database: Database[Document], service: str) -> list[Document]:
    """Return the reports of the instances of ``service`` that are alive."""
    alive = {"$gte": datetime.now(UTC) - timedelta(seconds=ALIVE_WITHIN_SECONDS)}
    return list(database[SERVICE_HEALTH].find({"service": service, "seen_at": alive}))
