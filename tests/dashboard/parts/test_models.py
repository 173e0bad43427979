from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dashboard.parts import models
from tests.dashboard.models import metrics
from tests.dashboard.parts.test_cards import words

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MANIFEST: dict[str, Any] = {
    "version": "BTCUSDT-v",
    "algorithm": "mean",
    "state": "challenger",
    "fit": False,
    "metrics": metrics(),
    "window": {"end": "2026-01-01T00:00:00Z"},
    "promoted_at": "2026-01-01T09:00:00Z",
    "reason": "first model of BTCUSDT",
}


def test_a_champion_is_shown_with_its_figures_and_why_it_serves() -> None:
    shown = words(models.champion(MANIFEST, NOW))
    assert shown.startswith("mean of both not fit serving for 3 h, trained until 2026-01-01 00:00 BTCUSDT-v")
    assert "Skill +1.20 % Buy from sell 0.531 Return +3.5 % Buy and hold -2.1 % Sharpe 0.84" in shown
    assert "Drawdown -8.3 % Trades 132 Gained 53 % Not by luck 97 %" in shown
    assert shown.endswith("Why it serves: first model of BTCUSDT")


def test_what_is_not_known_of_a_model_is_a_dash() -> None:
    shown = words(models.champion({**MANIFEST, "metrics": {}}, NOW))
    assert "Skill – Buy from sell – Return –" in shown
    assert words(models.champion(None, NOW)) == "No model serves yet: the first follows the first training."


def test_a_row_tells_the_decision_or_why_a_model_is_quarantined() -> None:
    (row,) = models.rows([{**MANIFEST, "verdict": {"promoted": False, "reason": "not better"}}])
    assert (row["id"], row["state"], row["fit"], row["verdict"]) == (
        "BTCUSDT-v",
        "challenger",
        "not fit",
        "not better",
    )
    assert (row["skill"], row["return"], row["drawdown"]) == ("+1.20 %", "+3.5 %", "-8.3 %")
    (refused,) = models.rows([{**MANIFEST, "state": "quarantined", "quarantine_reason": "no signature"}])
    assert (refused["state"], refused["verdict"]) == ("✕ quarantined", "no signature")
    assert models.rows([MANIFEST])[0]["verdict"] == "not decided yet"
