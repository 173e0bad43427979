"""Alerts about the product itself: one a cause, resolved when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.alert_settings import AlertRules
from cryptobot.decisions import operational
from cryptobot.decisions.operational import (
    approval_answered,
    approval_awaited,
    model_refused,
    pipeline_failure,
    quality_failed,
    quality_passed,
    recovered,
    stale_data,
    unhealthy,
)
from cryptobot.settings import Settings
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


def test_a_failed_task_is_told_once_a_run(database: Db) -> None:
    failed = {"dag_id": "features", "task_id": "compute", "cause": "no space"}
    assert pipeline_failure(database, run_id="1", **failed) is True
    assert pipeline_failure(database, run_id="1", **failed) is False
    assert pipeline_failure(database, run_id="2", **failed) is True


def test_an_unhealthy_feed_is_told_once_until_it_recovers(database: Db) -> None:
    assert recovered(database) == 0
    assert unhealthy(database, ["no trades for 90 s", "the sink is silent"]) is True
    assert unhealthy(database, ["the sink is silent"]) is False
    (alert,) = database[ALERTS].find()
    assert alert["message"] == "no trades for 90 s; the sink is silent"
    assert alert["resolved_at"] is None
    assert recovered(database) == 1
    assert unhealthy(database, ["again"]) is True
    assert database[ALERTS].count_documents({"resolved_at": None}) == 1


def test_bad_data_is_told_once_a_partition_until_it_passes(database: Db) -> None:
    def failed(partition: str) -> bool:
        return quality_failed(database, suite="features", partition=partition, found="nulls", report="r")

    assert [failed("10"), failed("10"), failed("11")] == [True, False, True]
    assert quality_passed(database, suite="features", partition="10") == 1
    assert quality_passed(database, suite="features", partition="10") == 0
    assert [failed("10"), failed("11")] == [True, False]


def test_an_approval_is_awaited_by_one_alert_a_pair_until_it_is_answered(database: Db) -> None:
    def awaited(version: str, symbol: str = "BTCUSDT") -> bool:
        return approval_awaited(database, symbol, version, datetime(2026, 1, 2, 3, 4, tzinfo=UTC))

    assert [awaited("v1"), awaited("v1"), awaited("e1", "ETHUSDT"), awaited("v2")] == [
        True,
        False,
        True,
        True,
    ]
    waiting = {alert["details"]["version"]: alert for alert in database[ALERTS].find({"resolved_at": None})}
    assert set(waiting) == {"e1", "v2"}
    assert "until 2026-01-02 03:04 UTC" in waiting["v2"]["message"]
    assert [approval_answered(database, version) for version in ("v1", "v2", "v2")] == [0, 1, 0]
    assert awaited("v2")


def test_a_refused_model_is_told_once_with_what_to_do(database: Db) -> None:
    assert model_refused(database, "BTCUSDT", "v1", "the signature does not hold") is True
    assert model_refused(database, "BTCUSDT", "v1", "found by another worker") is False
    (alert,) = database[ALERTS].find()
    assert alert["message"] == (
        "v1 is quarantined and not served: the signature does not hold. A sound model before it serves in "
        "its place; where there is none, BTCUSDT has no predictions. See Refused models in "
        "docs/OPERATIONS.md; as a rule, run the DAG models to train another"
    )


def test_a_rule_that_is_switched_off_raises_nothing(database: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = AlertRules.model_validate({"live_feed": {"enabled": False}})
    monkeypatch.setattr(operational, "settings", lambda: Settings(_env_file=None, alert_rules=rules))
    assert unhealthy(database, ["no trades"]) is False
    assert stale_data(database, [asset("features", SINCE)]) == ["features"]
    assert [alert["kind"] for alert in database[ALERTS].find()] == ["stale_data"]
