"""Log-in: ``/v1/auth``."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import login
from api.auth.dependencies import Reader
from api.auth.schemas import PasswordForm, RefreshRequest, SessionForm, Tokens
from api.auth.sessions import COOKIE, destination, refuse_cross_site, set_session
from api.problems import Forbidden, TooManyRequests, Unauthorized
from api.services import Shared
from cryptobot.serving.access import Principal

router = APIRouter(prefix="/v1/auth", tags=["log-in"])


@router.post("/token", summary="Log in")
async def token(form: Annotated[PasswordForm, Form()], request: Request, services: Shared) -> Tokens:
    """Give an access token (15 minutes) and a refresh token (30 days) for a name and password."""
    user = await login.authenticate(services, form.username, form.password, _address(request))
    return await login.grant(services, user, form.scope)


@router.post("/refresh", summary="Renew the tokens")
async def refresh(body: RefreshRequest, services: Shared) -> Tokens:
    """Give new tokens for a refresh token, which is used up; used twice, its log-in is revoked."""
    return await login.refresh(services, body.refresh_token)


@router.post("/logout", status_code=204, summary="Log out")
async def logout(body: RefreshRequest, services: Shared) -> Response:
    """Revoke the refresh tokens of this log-in; the access token ends by itself within 15 minutes."""
    await login.log_out(services, body.refresh_token)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/quality")
    return response


@router.post("/session", status_code=204, summary="Let this browser read the quality reports")
async def session(reader: Reader, request: Request, services: Shared) -> Response:
    """Set the cookie that ``/quality/`` asks for (one hour, not readable by scripts)."""
    response = Response(status_code=204)
    set_session(response, services.settings, reader, secure=request.url.scheme == "https")
    return response


@router.post("/session/form", include_in_schema=False)
async def session_form(form: Annotated[SessionForm, Form()], request: Request, services: Shared) -> Response:
    """Take the browser's log-in form, and go on to the page that was asked for."""
    refuse_cross_site(request)
    target = destination(form.following)
    try:
        user = await login.authenticate(services, form.username, form.password, _address(request))
        login.require_scope(user, "read")
    except (Unauthorized, Forbidden, TooManyRequests) as problem:
        back = f"/quality/login?next={quote(target)}&failed={problem.status}"
        return RedirectResponse(back, status_code=303)
    response = RedirectResponse(target, status_code=303)
    principal = Principal(user["_id"], frozenset({"read"}))
    set_session(response, services.settings, principal, secure=request.url.scheme == "https")
    return response


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
