"""``/quality/``: the Data Docs as they lie in ``settings.docs_dir``, and the page to log in."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from api.auth.sessions import destination, may_read
from api.problems import NotFound, Unauthorized
from api.services import Shared

router = APIRouter(prefix="/quality", include_in_schema=False)

_REPORT_CSP = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "font-src 'self' data:; img-src 'self' data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""The pages carry their scripts and styles inline, and need nothing from elsewhere."""

_LOGIN_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_LOGIN_PAGE = Template((Path(__file__).parent / "login.html").read_text())
_FAILED = {
    "401": "The user name or the password is wrong.",
    "403": "This user may not read the reports.",
    "429": "Too many failed log-ins. Wait a minute, then try again.",
}


@router.get("/login")
async def login_page(
    following: Annotated[str, Query(alias="next", max_length=500)] = "/quality/", failed: str = ""
) -> HTMLResponse:
    """Answer the log-in form."""
    target = destination(following)
    message = _FAILED.get(failed, "")
    page = _LOGIN_PAGE.substitute(
        next=escape(target, quote=True),
        message=f'<p class="failed" role="alert">{message}</p>' if message else "",
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": _LOGIN_CSP})


@router.get("/{path:path}")
async def report(path: str, request: Request, services: Shared) -> Response:
    """Answer a file of the reports; a browser that is not logged in is sent to the log-in page."""
    if not may_read(request, services.settings):
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"/quality/login?next={quote(request.url.path)}", status_code=303)
        raise Unauthorized("log in at /quality/login, or send an access token as bearer")
    root = services.settings.docs_dir.resolve()
    file = _inside(root, path)
    if file is None:
        if path in ("", "index.html"):
            raise NotFound("there is no quality report yet; the first checkpoint of the main job writes it")
        raise NotFound("there is no such page among the quality reports; begin at /quality/")
    headers = {"Content-Security-Policy": _REPORT_CSP, "Cache-Control": "private, no-cache"}
    return FileResponse(file, headers=headers)


def _inside(root: Path, path: str) -> Path | None:
    """Return the file below ``root`` that ``path`` names; neither links nor dots lead out of it."""
    if "\0" in path:
        return None
    file = (root / path).resolve()
    if file.is_dir():
        file = file / "index.html"
    return file if file.is_relative_to(root) and file.is_file() else None
