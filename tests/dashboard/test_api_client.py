from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.api_client import ApiAwayError, ApiClient, ApiRefusedError, SignedOutError
from dashboard.sessions import Session, SessionStore
from tests.dashboard.conftest import PASSWORD, Product
from tests.servers import free_port


@pytest.fixture
def sessions(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path / "sessions", "key")


@pytest.fixture
async def client(product: Product, sessions: SessionStore) -> AsyncIterator[ApiClient]:
    made = ApiClient(f"http://127.0.0.1:{product.api_port}", sessions)
    yield made
    await made.close()


@pytest.fixture
async def session(client: ApiClient, sessions: SessionStore) -> Session:
    cookie = await sessions.begin("admin", await client.log_in("admin", PASSWORD))
    found = sessions.find(cookie)
    assert found is not None
    return found


async def test_it_reads_as_the_viewer(client: ApiClient, session: Session) -> None:
    answer = await client.get(session, "/v1/candles", {"symbol": "BTCUSDT", "interval": "1h", "limit": 5})
    assert len(answer["items"]) == 5


async def test_an_expired_token_is_renewed_once_for_all_who_ask(client: ApiClient, session: Session) -> None:
    session.tokens = replace(session.tokens, expires_at=0.0)
    former = session.tokens
    await asyncio.gather(*(client.get(session, "/v1/ticker") for _ in range(8)))
    assert session.tokens.refresh != former.refresh
    assert not session.ended


async def test_a_token_that_the_api_refuses_is_renewed(client: ApiClient, session: Session) -> None:
    session.tokens = replace(session.tokens, access="not-a-token")
    assert (await client.get(session, "/v1/ticker"))["items"]


async def test_without_a_usable_refresh_token_the_session_ends(
    client: ApiClient, session: Session, sessions: SessionStore
) -> None:
    session.tokens = replace(session.tokens, access="not-a-token", refresh="x" * 43)
    with pytest.raises(SignedOutError):
        await client.get(session, "/v1/ticker")
    assert session.ended


async def test_nothing_there_is_none_and_a_refusal_is_in_the_apis_words(
    client: ApiClient, session: Session
) -> None:
    assert await client.get(session, "/v1/nowhere") is None
    with pytest.raises(ApiRefusedError, match="interval"):
        await client.get(session, "/v1/candles", {"symbol": "BTCUSDT", "interval": "7m"})


async def test_an_absent_api_is_away(session: Session, sessions: SessionStore) -> None:
    absent = ApiClient(f"http://127.0.0.1:{free_port()}", sessions)
    with pytest.raises(ApiAwayError, match="does not answer"):
        await absent.get(session, "/v1/ticker")
    await absent.close()
