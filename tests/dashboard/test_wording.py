from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboard import wording


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [("BTCUSDT", "BTC/USDT"), ("ETHBTC", "ETH/BTC"), ("USDT", "USDT"), ("WEIRD", "WEIRD")],
)
def test_a_symbol_is_written_as_a_pair(symbol: str, pair: str) -> None:
    assert wording.pair(symbol) == pair


@pytest.mark.parametrize(
    ("value", "text"),
    [(67123.456, "67,123.46"), (3.14159, "3.1416"), (0.0001234, "0.000123"), (None, "–")],
)
def test_a_price_has_the_decimals_of_its_size(value: float | None, text: str) -> None:
    assert wording.price(value) == text


@pytest.mark.parametrize(
    ("percent", "text", "style"),
    [
        (1.234, "▲ +1.23 %", "up"),
        (-0.5, "▼ -0.50 %", "down"),
        (0.004, "▬ 0.00 %", "flat"),
        (-0.004, "▬ 0.00 %", "flat"),
        (None, "–", "flat"),
    ],
)
def test_a_change_reads_without_colour(percent: float | None, text: str, style: str) -> None:
    assert wording.change(percent) == text
    assert wording.direction(percent) == style


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (7_200, "2 h"), (172_800, "2 d")]
)
def test_an_age_is_in_its_largest_unit(seconds: float, text: str) -> None:
    assert wording.age(seconds) == text


def test_a_clock_ahead_of_ours_makes_no_negative_age() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert wording.seconds_since("2026-01-01T00:00:05Z", now) == 0
    assert wording.seconds_since("2025-12-31T23:59:00Z", now) == 60


def test_instants_are_written_in_utc() -> None:
    assert wording.clock("2026-01-01T01:30:00+01:00") == "2026-01-01 00:30"
