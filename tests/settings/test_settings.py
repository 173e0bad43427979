"""Settings: what is derived, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from cryptobot.settings import BINANCE_REST, Settings


def test_lists_are_read_from_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYPTOBOT_SYMBOLS", "BTCUSDT, SOLUSDT")
    assert Settings(_env_file=None).symbols == ("BTCUSDT", "SOLUSDT")


def test_the_exchange_decides_where_data_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(_env_file=None, exchange_port=18090).rest_url == "http://127.0.0.1:18090"
    monkeypatch.setenv("EXCHANGE", "binance")
    assert Settings(_env_file=None).rest_url == BINANCE_REST


def test_a_signal_interval_that_is_not_watched_is_refused() -> None:
    with pytest.raises(ValidationError, match="CRYPTOBOT_SIGNAL_INTERVAL is 4h"):
        Settings(_env_file=None, signal_interval="4h")


def test_default_secrets_are_refused_outside_development() -> None:
    with pytest.raises(ValidationError, match="CRYPTOBOT_TOKEN_KEY is not set"):
        Settings(_env_file=None, environment="production", admin_password=SecretStr("one of its own"))


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(Settings(_env_file=None, token_key=SecretStr("hush")))
