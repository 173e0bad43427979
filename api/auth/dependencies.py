"""Who asks: scopes as dependencies of an endpoint."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import OAuth2PasswordBearer, SecurityScopes

from api.problems import Forbidden, Unauthorized
from api.services import services_of
from cryptobot.serving.access import InvalidTokenError, Principal, read_token

_bearer = OAuth2PasswordBearer(
    tokenUrl="/v1/auth/token",
    refreshUrl="/v1/auth/refresh",
    scopes={
        "read": "Read everything, ask for predictions",
        "alerts:write": "Acknowledge and snooze alerts",
        "models:admin": "Promote models and roll back",
    },
    auto_error=False,
)


async def _principal(
    request: Request, wanted: SecurityScopes, token: Annotated[str | None, Depends(_bearer)]
) -> Principal:
    if token is None:
        raise Unauthorized("log in at POST /v1/auth/token and send the access token as bearer")
    try:
        principal = read_token(services_of(request).settings, token)
    except InvalidTokenError as error:
        raise Unauthorized(str(error)) from error
    if missing := [scope for scope in wanted.scopes if scope not in principal.scopes]:
        raise Forbidden(f"the token lacks the scope {', '.join(missing)}")
    return principal


Reader = Annotated[Principal, Security(_principal, scopes=["read"])]
ModelsAdmin = Annotated[Principal, Security(_principal, scopes=["models:admin"])]
