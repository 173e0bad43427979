"""The gate before every route: who asks, whether they may, and what the browser must not do."""

from __future__ import annotations

from contextvars import ContextVar
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.sessions import Session, SessionStore

COOKIE = "cryptobot_session"
SESSION_ENDED = 4401
"""Code with which a live connection is closed when its viewer has logged out."""

_OPEN = ("/login", "/livez")
_OPEN_FOLDER = "/assets/"
_FOR_SCRIPTS = ("/_dash-", "/session")
"""Asked for by the page's scripts, which want a status rather than the log-in page."""
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Nothing is loaded from elsewhere; AG Grid and Dash's inline callbacks compile at run time."""

_current: ContextVar[Session | None] = ContextVar("session", default=None)


def viewer() -> Session | None:
    """Return the session of the request or live connection that is being served."""
    return _current.get()


class Gate:
    """ASGI middleware: sessions for HTTP and WebSocket alike, origin check, security headers."""

    def __init__(self, app: ASGIApp, sessions: SessionStore) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose sender may make it; turn any other away."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        session = self._sessions.find(_cookie(headers.get("cookie", "")))
        token = _current.set(session)
        try:
            if scope["type"] == "websocket":
                await self._serve_live(session, scope, receive, send)
            else:
                await self._serve(session, headers, scope, receive, send)
        finally:
            _current.reset(token)

    async def _serve(
        self, session: Session | None, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answered.setdefault(name, value)
            await send(message)

        refusal = _refusal(session, headers, scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    async def _serve_live(self, session: Session | None, scope: Scope, receive: Receive, send: Send) -> None:
        if session is None:
            await send({"type": "websocket.close", "code": SESSION_ENDED})
            return

        async def receive_while_logged_in() -> Message:
            message = await receive()
            if session.ended and message["type"] == "websocket.receive":
                await send({"type": "websocket.close", "code": SESSION_ENDED})
                return {"type": "websocket.disconnect", "code": SESSION_ENDED}
            return message

        await self._app(scope, receive_while_logged_in, send)


def _refusal(session: Session | None, headers: Headers, scope: Scope) -> Response | None:
    method, path = scope["method"], scope["path"]
    origin = headers.get("origin")
    if method not in _SAFE_METHODS and origin and urlsplit(origin).netloc != headers.get("host"):
        return JSONResponse({"detail": "Requests from other sites are refused."}, 403)
    if session is not None or path in _OPEN or path.startswith(_OPEN_FOLDER):
        return None
    if method == "GET" and not path.startswith(_FOR_SCRIPTS):
        wanted = f"{path}?{scope['query_string'].decode()}".rstrip("?")
        return RedirectResponse(f"/login?next={quote(wanted, safe='')}", 303)
    return JSONResponse({"detail": "Log in first."}, 401)


def _cookie(header: str) -> str | None:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None
