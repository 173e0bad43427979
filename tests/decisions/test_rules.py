"""The market's alert rules: each at its border, switched off, and without what it reads."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from cryptobot.alert_settings import AlertRules
from cryptobot.decisions.alerts import Alert
from cryptobot.decisions.rules import Moment, judge
from cryptobot.settings import Settings

OPENED = datetime(2026, 1, 10, 12, tzinfo=UTC)
QUIET = {"return_1": 0.0001, "realised_96": 0.002, "realised_ratio_12_96": 0.0, "volume_z_48": 0.1}
BUY = {
    "signal": "buy",
    "profiles": {"conservative": "hold", "balanced": "buy", "aggressive": "buy"},
    "probabilities": {"sell": 0.2, "hold": 0.35, "buy": 0.45},
    "model_version": "v",
}


def moment(signal: dict[str, Any] | None = None, fit: bool = True, **features: float | None) -> Moment:
    closed = OPENED + timedelta(minutes=15)
    return Moment("BTCUSDT", "15m", OPENED, closed, 67_050.25, {**QUIET, **features}, signal, fit)


def only(alerts: list[Alert]) -> Alert:
    (alert,) = alerts
    return alert


def rules(**changed: Any) -> AlertRules:
    return AlertRules.model_validate(changed)


def test_a_quiet_candle_gives_no_cause() -> None:
    assert judge(moment(), AlertRules()) == []


class TestOpportunity:
    def test_tells_what_a_fit_model_calls_under_the_profile(self) -> None:
        alert = only(judge(moment(BUY), AlertRules()))
        assert (alert.kind, alert.symbol, alert.severity) == ("opportunity", "BTCUSDT", "info")
        assert alert.key == f"opportunity|BTCUSDT|15m|{int(OPENED.timestamp() * 1000)}"
        assert alert.at == OPENED + timedelta(minutes=15)
        assert alert.cooldown == timedelta(hours=1)
        assert alert.details == {
            "interval": "15m",
            "open_time": OPENED,
            "close": 67_050.25,
            "direction": "buy",
            "profiles": ["aggressive", "balanced"],
            "confidence": 0.45,
            "model_version": "v",
            "volatility": 0.002,
            "size": 0.5,
            "stop": None,
        }
        assert "probability of 45%" in alert.message
        assert "67,050.25" in alert.message

    @pytest.mark.parametrize(
        ("signal", "volatility", "size", "stop", "told"),
        [
            (BUY, 0.002, 0.5, 66_379.7475, "worth 50% of the capital. It has proven wrong at 66,379.7."),
            (BUY, 0.1, 0.15625, 66_379.7475, "worth 16% of the capital"),
            (BUY, 0.0, None, 66_379.7475, "aggressive, balanced. It has"),
            ({**BUY, "profiles": {"balanced": "sell"}}, 0.002, None, 67_720.7525, "wrong at 67,720.8."),
        ],
    )
    def test_tells_what_it_is_worth_to_the_profile_and_when_it_was_wrong(
        self, signal: dict[str, Any], volatility: float, size: float | None, stop: float, told: str
    ) -> None:
        found = moment(signal, realised_96=volatility, true_range_14=0.005)
        alert = only(judge(found, AlertRules()))
        assert alert.details["size"] == (None if size is None else pytest.approx(size))
        assert alert.details["stop"] == pytest.approx(stop)
        assert told in alert.message

    def test_none_without_a_fit_model_or_a_signal(self) -> None:
        assert judge(moment(BUY, fit=False), AlertRules()) == []
        assert judge(moment(None), AlertRules()) == []

    def test_the_profile_decides(self) -> None:
        assert judge(moment(BUY), AlertRules(), "conservative") == []
        bold = {**BUY, "signal": "hold", "profiles": {"balanced": "hold", "aggressive": "buy"}}
        assert judge(moment(bold), AlertRules()) == []
        alert = only(judge(moment(bold), AlertRules(), "aggressive"))
        assert (alert.details["direction"], alert.details["confidence"]) == ("buy", 0.45)

    def test_a_signal_without_profiles_is_a_balanced_one(self) -> None:
        signal = {**BUY, "signal": "sell", "profiles": None}
        alert = only(judge(moment(signal), AlertRules()))
        assert (alert.details["direction"], alert.details["confidence"]) == ("sell", 0.2)
        assert judge(moment(signal), AlertRules(), "aggressive") == []

    @pytest.mark.parametrize(("least", "told"), [(0.45, 1), (0.451, 0)])
    def test_the_least_confidence(self, least: float, told: int) -> None:
        assert len(judge(moment(BUY), rules(opportunity={"min_confidence": least}))) == told


@pytest.mark.parametrize(
    ("ratio", "regime"),
    [(1.99, None), (2.001, "turbulent"), (0.36, None), (0.349, "calm")],
)
def test_volatility_leaves_its_bounds(ratio: float, regime: str | None) -> None:
    alerts = judge(moment(realised_ratio_12_96=math.log(ratio)), AlertRules())
    assert [(alert.kind, alert.details["direction"]) for alert in alerts] == (
        [("volatility_regime", regime)] if regime else []
    )


@pytest.mark.parametrize(("deviations", "told"), [(2.99, 0), (3.0, 1)])
def test_unusual_volume(deviations: float, told: int) -> None:
    alerts = judge(moment(volume_z_48=deviations), AlertRules())
    assert [alert.kind for alert in alerts] == ["unusual_volume"] * told


@pytest.mark.parametrize(
    ("move", "usual", "direction"),
    [(0.0081, 0.002, "up"), (-0.0081, 0.002, "down"), (0.0079, 0.002, None), (0.0045, 0.001, None)],
)
def test_a_price_moves_much_for_the_market_and_for_people(
    move: float, usual: float, direction: str | None
) -> None:
    alerts = judge(moment(return_1=move, realised_96=usual), AlertRules())
    assert [(alert.kind, alert.details["direction"]) for alert in alerts] == (
        [("price_move", direction)] if direction else []
    )


LOUD = {"return_1": 0.05, "realised_ratio_12_96": 1.0, "volume_z_48": 5.0}
KINDS = ["opportunity", "volatility_regime", "unusual_volume", "price_move"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_rule_can_be_switched_off(kind: str) -> None:
    loud = moment(BUY, **LOUD)
    assert [alert.kind for alert in judge(loud, AlertRules())] == KINDS
    left = judge(loud, rules(**{kind: {"enabled": False}}))
    assert [alert.kind for alert in left] == [other for other in KINDS if other != kind]


def test_what_is_not_known_gives_no_cause() -> None:
    unknown = dict.fromkeys(QUIET, None)
    assert judge(moment(**unknown), AlertRules()) == []
    assert judge(moment(**dict.fromkeys(QUIET, math.nan)), AlertRules()) == []
    assert judge(replace(moment(), features={}), AlertRules()) == []
    assert judge(moment(return_1=0.1, realised_96=0.0), AlertRules()) == []


class TestSettings:
    def test_parameters_come_as_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(
            "CRYPTOBOT_ALERT_RULES",
            '{"price_move": {"least_pct": 2, "cooldown_minutes": 5}, "stale_data": {"enabled": false}}',
        )
        found = Settings(_env_file=None).alert_rules
        assert (found.price_move.least_pct, found.price_move.cooldown) == (2, timedelta(minutes=5))
        assert found.stale_data.enabled is False
        assert found.price_move.deviations == AlertRules().price_move.deviations

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("{price_move: 1}", "CRYPTOBOT_ALERT_RULES is not JSON .* at character 2"),
            ('{"prise_move": {}}', "prise_move\n.*not permitted"),
            ('{"price_move": {"deviations": 0}}', "price_move.deviations\n.*greater than 0"),
            (
                '{"opportunity": {"severity": "grave"}}',
                "opportunity.severity\n.*'info', 'warning' or 'critical'",
            ),
        ],
    )
    def test_a_mistake_is_named(self, monkeypatch: pytest.MonkeyPatch, text: str, told: str) -> None:
        monkeypatch.setenv("CRYPTOBOT_ALERT_RULES", text)
        with pytest.raises(ValidationError, match=told):
            Settings(_env_file=None)
