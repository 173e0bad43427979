"""The browser's session for the quality reports: a short-lived cookie that scripts cannot read."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request, Response

from api.problems import Forbidden
from cryptobot.serving.access import InvalidTokenError, Principal, issue_token, read_token
from cryptobot.settings import Settings

COOKIE = "cryptobot_quality"
SECONDS = 3600
_AUDIENCE = "cryptobot-quality"


def set_session(response: Response, settings: Settings, principal: Principal, *, secure: bool) -> None:
    """Let the browser that gets ``response`` read the reports."""
    response.set_cookie(
        COOKIE,
        issue_token(settings, principal.name, {"read"}, audience=_AUDIENCE, seconds=SECONDS),
        max_age=SECONDS,
        path="/quality",
        httponly=True,
        samesite="lax",
        secure=secure,
    )


def may_read(request: Request, settings: Settings) -> bool:
    """Tell whether the request comes with a session, or with a bearer token that may read."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() == "bearer":
            return "read" in read_token(settings, bearer).scopes
        read_token(settings, request.cookies.get(COOKIE, ""), audience=_AUDIENCE)
    except InvalidTokenError:
        return False
    return True


def destination(following: str) -> str:
    """Return ``following`` if it is a page of the reports, else their first page: no open redirect."""
    parts = urlsplit(following)
    plain = not (parts.scheme or parts.netloc) and following.isprintable() and "\\" not in following
    return following if plain and parts.path.startswith("/quality/") else "/quality/"


def refuse_cross_site(request: Request) -> None:
    """Refuse a form that another site's page sent."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if site not in ("same-origin", "none") or foreign:
        raise Forbidden("this form is taken from its own page only: /quality/login")
