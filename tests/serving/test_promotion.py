from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.serving.promotion import decide_promotion, promote_challengers
from tests.serving.models import add_model

Db = Database[dict[str, Any]]


def metrics(gain: float) -> dict[str, float]:
    return {"log_loss": 1.0 - gain, "log_loss_baseline": 1.0}


def entry(gain: float, *, fit: bool = False, **fields: Any) -> dict[str, Any]:
    return {"symbol": "BTCUSDT", "fit": fit, "metrics": metrics(gain), "state": "champion", **fields}


@pytest.mark.parametrize(
    ("champion", "challenger", "promote"),
    [
        (None, entry(-0.5), True),
        (entry(0.01), entry(0.02), True),
        (entry(0.02), entry(0.01), False),
        (entry(0.02), entry(0.0205), False),
        (entry(0.02), entry(0.01, fit=True), True),
        (entry(0.01, fit=True), entry(0.02), False),
        (entry(0.02, fit=True), entry(0.03, fit=True), True),
        (entry(0.05, state="quarantined", quarantine_reason="hash"), entry(0.01), True),
    ],
)
def test_a_challenger_must_be_better_by_a_margin(
    champion: dict[str, Any] | None, challenger: dict[str, Any], promote: bool
) -> None:
    decision = decide_promotion(champion, challenger)
    assert decision.promote is promote
    assert decision.reason


def test_a_champion_that_has_expired_goes_whatever_its_skill() -> None:
    trained = datetime(2026, 1, 1, tzinfo=UTC)
    champion = entry(0.05, fit=True, window={"end": trained})
    challenger = entry(0.01, window={"end": trained + timedelta(days=31)})
    assert decide_promotion(champion, challenger, timedelta(days=31)).promote is False
    decided = decide_promotion(champion, challenger, timedelta(days=30))
    assert decided.promote
    assert decided.reason == "the champion has expired: trained until 2026-01-01"


def test_each_symbol_is_settled_and_the_reason_kept(database: Db) -> None:
    first = add_model(database, 0, metrics=metrics(0.01))
    assert promote_challengers(database, ("BTCUSDT", "ETHUSDT")) == {
        "BTCUSDT": {"promoted": True, "version": first, "reason": "first model of BTCUSDT"},
        "ETHUSDT": {"promoted": False, "version": None, "reason": "ETHUSDT has no new model"},
    }
    worse = add_model(database, 1, metrics=metrics(0.0))
    decided = promote_challengers(database, ("BTCUSDT",))["BTCUSDT"]
    assert decided["promoted"] is False
    pointer = registry.champion(database, "BTCUSDT")
    assert pointer is not None
    assert pointer["version"] == first
    assert registry.model(database, worse)["verdict"]["reason"] == decided["reason"]
