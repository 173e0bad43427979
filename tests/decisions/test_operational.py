"""Alerts about stale data: one a period, resolved when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from cryptobot.decisions.operational import stale_data
from cryptobot.storage.collections import ALERTS

SINCE = datetime(2026, 1, 10, tzinfo=UTC)
Db = Database[dict[str, Any]]


def asset(name: str, stale_since: datetime | None, newest: datetime | None = SINCE) -> dict[str, Any]:
    return {"_id": name, "dag": name, "newest": newest, "why": "made 27 h ago", "stale_since": stale_since}


def test_an_asset_that_stays_overdue_raises_one_alert(database: Db) -> None:
    for _ in range(3):
        assert stale_data(database, [asset("features", SINCE), asset("models", None)]) == ["features"]
    (alert,) = database[ALERTS].find()
    assert (alert["kind"], alert["severity"], alert["title"]) == (
        "stale_data",
        "warning",
        "features is stale",
    )
    assert "made 27 h ago" in alert["message"]
    assert alert["resolved_at"] is None


def test_it_is_resolved_when_fresh_again_and_raised_anew_the_next_time(database: Db) -> None:
    stale_data(database, [asset("features", SINCE)])
    stale_data(database, [asset("features", None)])
    (resolved,) = database[ALERTS].find()
    assert resolved["resolved_at"] is not None
    stale_data(database, [asset("features", SINCE + timedelta(days=1))])
    assert database[ALERTS].count_documents({}) == 2
    assert database[ALERTS].count_documents({"resolved_at": None}) == 1


def test_other_alerts_are_left_alone(database: Db) -> None:
    database[ALERTS].insert_one({"_id": "x", "kind": "pipeline"}, bypass_document_validation=True)
    stale_data(database, [])
    assert "resolved_at" not in database[ALERTS].find_one({"_id": "x"})


def test_what_was_never_made_is_told_as_such(database: Db) -> None:
    stale_data(database, [asset("reconciliation", SINCE, newest=None)])
    assert database[ALERTS].find_one()["title"] == "reconciliation was never made"
