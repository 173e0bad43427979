"""The API as the dashboard uses it: kept-alive connections, the viewer's own token, clear failures."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from dashboard.sessions import Session, SessionStore, Tokens

_TIMEOUT = httpx.Timeout(5.0, connect=2.0)
_LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=60)
_EARLY_SECONDS = 30
"""How long before its end an access token is exchanged for the next."""


class ApiAwayError(Exception):
    """The API does not answer, or fails; it may be back at any moment."""


class ApiRefusedError(Exception):
    """The API answered that the request cannot be met; the message is its own."""


class SignedOutError(Exception):
    """The session has ended; the viewer has to log in again."""


class ApiClient:
    """Requests to the API of one address."""

    def __init__(self, url: str, sessions: SessionStore) -> None:
        self.url = url
        self._sessions = sessions
        self._http = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, limits=_LIMITS)

    async def close(self) -> None:
        """Close the kept connections."""
        await self._http.aclose()

    async def log_in(self, user: str, password: str) -> Tokens:
        """Return tokens for a user; raises :class:`ApiRefusedError` when the API declines."""
        form = {"grant_type": "password", "username": user, "password": password}
        return _tokens(_checked(await self._send("POST", "/v1/auth/token", data=form)))

    async def log_out(self, session: Session) -> None:
        """End the session here and, when the API can be reached, its refresh token there."""
        tokens = session.tokens
        await self._sessions.end(session)
        await self._send(
            "POST",
            "/v1/auth/logout",
            json={"refresh_token": tokens.refresh},
            headers=_bearer(tokens),
        )

    async def get(self, session: Session, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON answer to a ``GET`` as this viewer; ``None`` where nothing is there (404).

        Raises
        ------
        SignedOutError, ApiRefusedError, ApiAwayError
        """
        answer = await self.fetch(session, path, params)
        return None if answer.status_code == httpx.codes.NOT_FOUND else _checked(answer).json()

    async def fetch(
        self, session: Session, path: str, params: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """Return the whole answer to a ``GET`` as this viewer, whatever its status but 401."""
        tokens = await self._current(session)
        answer = await self._send("GET", path, params=params, headers=_bearer(tokens))
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            tokens = await self._renewed(session, tokens)
            answer = await self._send("GET", path, params=params, headers=_bearer(tokens))
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                await self._sessions.end(session)
                raise SignedOutError
        return answer

    async def _current(self, session: Session) -> Tokens:
        if session.ended:
            raise SignedOutError
        tokens = session.tokens
        if tokens.expires_at - _EARLY_SECONDS > time.time():
            return tokens
        return await self._renewed(session, tokens)

    async def _renewed(self, session: Session, stale: Tokens) -> Tokens:
        """Exchange the refresh token once, however many requests find the access token expired."""
        async with session.renewing:
            if session.ended:
                raise SignedOutError
            if session.tokens is not stale:
                return session.tokens
            body = {"refresh_token": stale.refresh}
            answer = await self._send("POST", "/v1/auth/refresh", json=body)
            try:
                tokens = _tokens(_checked(answer))
            except ApiRefusedError as refusal:
                await self._sessions.end(session)
                raise SignedOutError from refusal
            await self._sessions.renew(session, tokens)
            return tokens

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise ApiAwayError(f"the API at {self.url} does not answer") from error
        if answer.is_server_error:
            raise ApiAwayError(f"the API at {self.url} answers {answer.status_code}")
        return answer


def _bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.access}"}


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        problem = answer.json()
        detail = problem.get("detail") or problem.get("title")
    except (ValueError, AttributeError):
        detail = None
    raise ApiRefusedError(detail or f"{answer.request.url.path} answered {answer.status_code}")


def _tokens(answer: httpx.Response) -> Tokens:
    body = answer.json()
    return Tokens(
        access=body["access_token"],
        refresh=body["refresh_token"],
        expires_at=time.time() + float(body.get("expires_in", 900)),
    )
