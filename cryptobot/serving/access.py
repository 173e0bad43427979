"""Access tokens: who may do what at the API, for how long. JWT signed with the token key (HS256)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import jwt

from cryptobot.settings import Settings

Scope = Literal["read", "alerts:write", "models:admin"]
SCOPES: frozenset[str] = frozenset(get_args(Scope))

ACCESS_SECONDS = 15 * 60
API_AUDIENCE = "cryptobot-api"
_ISSUER = "cryptobot"
_REMEMBERED = 1_024
_EXPIRED = "the token has expired; refresh it or log in again"
_REQUIRED = ["exp", "iat", "iss", "aud", "sub"]


class InvalidTokenError(Exception):
    """The token is expired, forged, or meant for something else."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and the scopes that were granted."""

    name: str
    scopes: frozenset[str]


def issue_token(
    settings: Settings,
    name: str,
    scopes: Iterable[str],
    *,
    audience: str = API_AUDIENCE,
    seconds: int = ACCESS_SECONDS,
) -> str:
    """Return a token that grants ``scopes`` to ``name`` for ``seconds``."""
    now = int(time.time())
    claims = {
        "iss": _ISSUER,
        "aud": audience,
        "sub": name,
        "scope": " ".join(sorted(scopes)),
        "iat": now,
        "exp": now + seconds,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(claims, settings.token_key.get_secret_value(), algorithm="HS256")


def read_token(settings: Settings, token: str, *, audience: str = API_AUDIENCE) -> Principal:
    """Return whom ``token`` names; raises :class:`InvalidTokenError`."""
    principal, expires_at = _verified(token, settings.token_key.get_secret_value(), audience)
    if expires_at <= time.time():
        raise InvalidTokenError(_EXPIRED)
    return principal


@lru_cache(maxsize=_REMEMBERED)
def _verified(token: str, key: str, audience: str) -> tuple[Principal, float]:
    """Return whom a token names, and until when: its signature is checked once, its time each time."""
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=["HS256"],
            audience=audience,
            issuer=_ISSUER,
            options={"require": _REQUIRED},
        )
    except jwt.ExpiredSignatureError as error:
        raise InvalidTokenError(_EXPIRED) from error
    except jwt.InvalidTokenError as error:
        raise InvalidTokenError("the token is not valid here; log in at POST /v1/auth/token") from error
    scopes = frozenset(str(claims.get("scope", "")).split()) & SCOPES
    return Principal(str(claims["sub"]), scopes), float(claims["exp"])
