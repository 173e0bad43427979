"""Tokens: what was verified once is not verified again, but its time is looked at each time."""

from __future__ import annotations

import time

import pytest
from pydantic import SecretStr

from cryptobot.serving import access
from cryptobot.serving.access import InvalidTokenError, issue_token, read_token
from cryptobot.settings import Settings

SETTINGS = Settings(_env_file=None, token_key=SecretStr("a key of 32 bytes and more for tests"))


def test_a_token_that_was_read_before_expires_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    token = issue_token(SETTINGS, "someone", {"read"}, seconds=60)
    assert read_token(SETTINGS, token).name == "someone"
    later = time.time() + 61
    monkeypatch.setattr(access.time, "time", lambda: later)
    with pytest.raises(InvalidTokenError, match="expired"):
        read_token(SETTINGS, token)


def test_a_token_that_was_read_before_is_worth_nothing_elsewhere() -> None:
    token = issue_token(SETTINGS, "someone", {"read"})
    read_token(SETTINGS, token)
    other = SETTINGS.model_copy(update={"token_key": SecretStr("another key of 32 bytes and more...")})
    with pytest.raises(InvalidTokenError, match="not valid here"):
        read_token(other, token)
    with pytest.raises(InvalidTokenError, match="not valid here"):
        read_token(SETTINGS, token, audience="elsewhere")
