from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.alert_settings import AlertRules
from cryptobot.decisions.announcement import Announcer
from cryptobot.decisions.live import Assessment, Withheld
from cryptobot.settings import Settings
from tests.api.candles import candles

Db = Database[dict[str, Any]]

CANDLES = candles("BTCUSDT", count=4)
NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
RULES = AlertRules.model_validate({"opportunity": {"cooldown_minutes": 0}})


def called(index: int, signal: str = "buy", *, fit: bool = True, version: str = "one") -> Assessment:
    """Return an assessment whose model calls the candle ``signal`` under every profile."""
    candle = CANDLES[index]
    document = {
        "_id": f"{candle['_id']}|live",
        "symbol": "BTCUSDT",
        "open_time": candle["open_time"],
        "signal": signal,
        "probabilities": {"sell": 0.1, "hold": 0.2, "buy": 0.7},
        "profiles": dict.fromkeys(("conservative", "balanced", "aggressive"), signal),
        "model_version": version,
        "fit": fit,
        "late": False,
    }
    return Assessment(candle, {}, late=False, fit=fit, version=version, signal=document)


def without(index: int, reason: Withheld, version: str | None = None) -> Assessment:
    return Assessment(CANDLES[index], {}, late=False, version=version, withheld=reason, why="a test")


@pytest.fixture
def announcer(database: Db, app_settings: Settings) -> Announcer:
    return Announcer(database, app_settings.model_copy(update={"alert_rules": RULES}))


def opportunities(database: Db) -> list[dict[str, Any]]:
    return list(database.alerts.find({"kind": "opportunity"}).sort("at"))


class TestAnnounce:
    def test_a_signal_and_its_alert_are_kept_once(self, database: Db, announcer: Announcer) -> None:
        first = announcer.announce([called(0)], NOW)
        again = announcer.announce([called(0, "sell", version="two"), called(1, "hold")], NOW)
        assert [signal["model_version"] for signal in again] == ["one", "one"]
        assert again[0] == first[0] == database.signals.find_one({"_id": first[0]["_id"]})
        assert database.signals.count_documents({}) == 2
        (alert,) = opportunities(database)
        assert alert["details"]["direction"] == "buy", "what was said first stands"

    def test_a_late_candle_is_kept_and_no_news(self, database: Db, announcer: Announcer) -> None:
        announcer.announce([replace(called(0), late=True), called(1)], NOW)
        assert database.signals.count_documents({}) == 2
        assert [alert["details"]["open_time"] for alert in opportunities(database)] == [
            CANDLES[1]["open_time"]
        ]

    def test_an_unfit_model_gives_signals_and_no_opportunity(
        self, database: Db, announcer: Announcer
    ) -> None:
        announcer.announce([called(0, fit=False)], NOW)
        assert database.signals.count_documents({}) == 1
        assert opportunities(database) == []


class TestModelAlerts:
    def test_one_tells_of_each_state_and_ends_with_it(
        self, database: Db, announcer: Announcer, app_settings: Settings
    ) -> None:
        announcer.announce([without(0, Withheld.NO_MODEL), without(1, Withheld.NO_MODEL)], NOW)
        Announcer(database, app_settings).announce([without(2, Withheld.NO_MODEL)], NOW)
        announcer.announce([without(2, Withheld.MODEL_EXPIRED, "one")], NOW + timedelta(hours=1))
        found = list(database.alerts.find({"kind": "model"}).sort("created_at"))
        assert [alert["title"] for alert in found] == [
            "BTCUSDT has no model",
            "BTCUSDT: the model has expired",
        ]
        assert [alert["resolved_at"] is None for alert in found] == [False, True]
        announcer.announce([called(3)], NOW + timedelta(hours=2))
        assert database.alerts.count_documents({"kind": "model", "resolved_at": None}) == 0

    def test_missing_candles_are_no_matter_of_the_model(self, database: Db, announcer: Announcer) -> None:
        announcer.announce([without(0, Withheld.INCOMPLETE, "one")], NOW)
        assert database.alerts.count_documents({}) == 0

    def test_none_where_the_rule_is_switched_off(self, database: Db, app_settings: Settings) -> None:
        off = AlertRules.model_validate({"model": {"enabled": False}})
        settings = app_settings.model_copy(update={"alert_rules": off})
        Announcer(database, settings).announce([without(0, Withheld.NO_MODEL)], NOW)
        assert database.alerts.count_documents({}) == 0
