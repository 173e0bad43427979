from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.alert_settings import AlertRules
from cryptobot.decisions import model_drift
from cryptobot.decisions.model_drift import judge_drift
from cryptobot.settings import Settings

Db = Database[dict[str, Any]]
DAY = datetime(2026, 1, 10, tzinfo=UTC)


def day(drifted: bool, symbol: str = "BTCUSDT", version: str = "v1", after: int = 0) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "version": version,
        "day": DAY + timedelta(days=after),
        "to": DAY + timedelta(days=after, hours=4),
        "drifted": drifted,
        "reasons": ["60% of the features are distributed unlike in the training"] if drifted else [],
    }


def test_a_symbol_that_stays_drifted_is_told_once(database: Db) -> None:
    for after, version in enumerate(("v1", "v1", "v2")):
        found = judge_drift(database, [day(True, version=version, after=after), day(False, "ETHUSDT")])
        assert found == ["BTCUSDT"]
    (alert,) = database.alerts.find()
    assert (alert["kind"], alert["severity"], alert["symbol"]) == ("model_drift", "warning", "BTCUSDT")
    assert alert["message"].startswith("v1, until 2026-01-10 04:00 UTC: 60% of the features")
    assert alert["resolved_at"] is None


def test_it_is_resolved_by_itself_and_raised_anew_the_next_time(database: Db) -> None:
    judge_drift(database, [day(True), day(True, "ETHUSDT")])
    judge_drift(database, [day(False)])
    open_alerts = list(database.alerts.find({"resolved_at": None}))
    assert [alert["symbol"] for alert in open_alerts] == ["ETHUSDT"], "what was not measured stays as it was"
    judge_drift(database, [day(True)])
    assert database.alerts.count_documents({"symbol": "BTCUSDT"}) == 2
    assert database.alerts.count_documents({"symbol": "BTCUSDT", "resolved_at": None}) == 1


def test_switched_off_it_tells_nobody_and_still_ends_what_is_open(
    database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_drift(database, [day(True)])
    rules = AlertRules.model_validate({"model_drift": {"enabled": False}})
    monkeypatch.setattr(model_drift, "settings", lambda: Settings(_env_file=None, alert_rules=rules))
    assert judge_drift(database, [day(True, "ETHUSDT")]) == ["ETHUSDT"]
    judge_drift(database, [day(False)])
    assert database.alerts.count_documents({}) == 1
    assert database.alerts.count_documents({"resolved_at": None}) == 0
