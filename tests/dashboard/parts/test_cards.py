from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.parts import cards

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
SIGNAL = {
    "signal": "buy",
    "confidence": 0.617,
    "fit": True,
    "interval": "15m",
    "open_time": "2026-01-01T11:30:00Z",
}
CHAMPION = {
    "algorithm": "random_forest",
    "promoted_at": "2026-01-01T09:00:00Z",
    "fit": True,
    "version": "BTCUSDT-v",
}


def words(shown: Any) -> str:
    """All text of components, in order."""
    if isinstance(shown, str):
        return shown
    parts = shown if isinstance(shown, list) else [shown.children]
    return " ".join(words(item) for item in parts)


@pytest.mark.parametrize(
    ("received_at", "text", "style"),
    [
        ("2026-01-01T11:59:58Z", "● live", "badge live"),
        ("2026-01-01T11:59:30Z", "◐ 30 s old", "badge delayed"),
        ("2026-01-01T11:00:00Z", "○ stale, 1 h old", "badge stale"),
    ],
)
def test_staleness_is_that_of_the_receipt(received_at: str, text: str, style: str) -> None:
    assert cards.staleness({"received_at": received_at}, NOW) == (text, style)


def test_no_ticker_is_said() -> None:
    assert cards.staleness(None, NOW) == ("no live price yet", "badge flat")


def test_a_signal_says_its_confidence_and_candle() -> None:
    assert words(cards.signal(SIGNAL)) == "▲ BUY 62% confidence 15m candle of 2026-01-01 11:30 UTC"


def test_what_is_not_fit_is_marked() -> None:
    assert "not fit" not in words(cards.signal(SIGNAL)) + words(cards.model(CHAMPION, NOW))
    assert "not fit" in words(cards.signal({**SIGNAL, "fit": False}))
    assert "not fit" in words(cards.model({**CHAMPION, "fit": False}, NOW))


def test_a_model_says_its_kind_age_and_version() -> None:
    assert words(cards.model(CHAMPION, NOW)) == "random forest, serving for 3 h BTCUSDT-v"


def test_nothing_yet_is_said() -> None:
    assert cards.signal(None) == ["none yet"]
    assert cards.model(None, NOW) == ["none serves yet"]
