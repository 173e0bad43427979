from __future__ import annotations

import time
from pathlib import Path

import pytest

from dashboard.sessions import LIFETIME_SECONDS, SessionStore, Tokens

TOKENS = Tokens(access="the-access-token", refresh="the-refresh-token", expires_at=1.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "sessions"


async def test_a_session_outlives_a_restart(file: Path) -> None:
    cookie = await SessionStore(file, "key").begin("ann", TOKENS)
    found = SessionStore(file, "key").find(cookie)
    assert found is not None
    assert (found.user, found.tokens) == ("ann", TOKENS)


async def test_what_is_kept_tells_neither_tokens_nor_cookie(file: Path) -> None:
    cookie = await SessionStore(file, "key").begin("ann", TOKENS)
    kept = file.read_bytes()  # noqa: ASYNC240
    assert file.stat().st_mode & 0o077 == 0  # noqa: ASYNC240
    assert all(secret.encode() not in kept for secret in (cookie, TOKENS.access, TOKENS.refresh, "ann"))


async def test_with_another_key_everyone_logs_in_again(file: Path) -> None:
    cookie = await SessionStore(file, "key").begin("ann", TOKENS)
    assert SessionStore(file, "another").find(cookie) is None


async def test_an_ended_session_is_found_no_more(file: Path) -> None:
    store = SessionStore(file, "key")
    cookie = await store.begin("ann", TOKENS)
    session = store.find(cookie)
    assert session is not None
    await store.end(session)
    assert session.ended
    assert store.find(cookie) is None
    assert SessionStore(file, "key").find(cookie) is None


async def test_a_session_not_renewed_ends_with_its_refresh_token(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SessionStore(file, "key")
    cookie = await store.begin("ann", TOKENS)
    later = time.time() + LIFETIME_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert store.find(cookie) is None


@pytest.mark.parametrize("cookie", [None, "", "guessed"])
def test_other_cookies_are_nobodys(file: Path, cookie: str | None) -> None:
    assert SessionStore(file, "key").find(cookie) is None
