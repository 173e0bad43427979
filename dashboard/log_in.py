"""Log-in and log-out: a plain page of its own, which works before any of Dash is loaded."""

from __future__ import annotations

import contextlib
import html
from pathlib import Path
from string import Template
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dashboard.api_client import ApiAwayError, ApiClient, ApiRefusedError
from dashboard.gate import COOKIE, viewer
from dashboard.sessions import LIFETIME_SECONDS, SessionStore

_PAGE = Template((Path(__file__).parent / "log_in.html").read_text(encoding="utf-8"))


def routes(api: ApiClient, sessions: SessionStore) -> APIRouter:
    """Return the routes ``/login``, ``/logout`` and ``/session``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    async def show(next: str = "/") -> Response:
        if viewer():
            return RedirectResponse(_local(next), 303)
        return _page(next)

    @router.post("/login")
    async def log_in(
        request: Request,
        username: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        next: Annotated[str, Form()] = "/",
    ) -> Response:
        try:
            tokens = await api.log_in(username, password)
        except ApiRefusedError as refusal:
            return _page(next, username, _sentence(str(refusal)), status=401)
        except ApiAwayError as away:
            return _page(next, username, f"You cannot be logged in now: {away}; try again soon.", status=503)
        answer = RedirectResponse(_local(next), 303)
        answer.set_cookie(
            COOKIE,
            await sessions.begin(username, tokens),
            max_age=LIFETIME_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return answer

    @router.post("/logout")
    async def log_out() -> Response:
        if session := viewer():
            with contextlib.suppress(ApiAwayError):  # ended here all the same; there it expires
                await api.log_out(session)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return answer

    @router.get("/session")
    async def still_logged_in() -> Response:
        return Response(status_code=204)

    return router


def _page(wanted: str, user: str = "", message: str = "", status: int = 200) -> HTMLResponse:
    filled = _PAGE.substitute(
        next=html.escape(_local(wanted)), user=html.escape(user), message=html.escape(message)
    )
    return HTMLResponse(filled, status, headers={"Cache-Control": "no-store"})


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _local(wanted: str) -> str:
    """Return the address to go on to, if it is one of this site; else the start page."""
    return wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) else "/"
