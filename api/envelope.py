"""What surrounds every answer: correlation id, security headers, metrics, a log line, the last catch."""

from __future__ import annotations

import logging
import time
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.correlation import begin_request
from api.metrics import REQUESTS, SECONDS
from api.problems import problem_response

log = logging.getLogger("api.requests")

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Set where the answer has not set its own."""

MAX_BODY_BYTES = 4 * 1024 * 1024
"""1,000 rows of features take less; it is checked before anyone is asked who they are."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Envelope:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = begin_request(_header(scope, b"x-request-id"))
        began = time.perf_counter()
        status = 0

        async def send_enveloped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                own = {name.lower() for name, _ in headers}
                identity = (b"x-request-id", request_id.encode())
                missing = (header for header in _HEADERS if header[0] not in own)
                message["headers"] = [*headers, identity, *missing]
            await send(message)

        try:
            refusal = _body_refusal(scope)
            await (refusal or self._app)(scope, receive, send_enveloped)
        except Exception:
            log.exception("unforeseen error", extra=_described(scope))
            if status:  # the answer is on its way: only the connection can tell
                raise
            answer = problem_response(
                500, "something went wrong here; name the correlation_id when you report it"
            )
            await answer(scope, receive, send_enveloped)
        finally:
            _record(scope, status or 499, time.perf_counter() - began)


def _body_refusal(scope: Scope) -> Response | None:
    """Return the answer to a body that is too large, or that does not say how large it is."""
    length = _header(scope, b"content-length")
    if length is None:
        unsized = _header(scope, b"transfer-encoding") is not None
        return problem_response(411, "send the body with a Content-Length") if unsized else None
    if length.isdigit() and int(length) <= MAX_BODY_BYTES:
        return None
    return problem_response(413, f"a body may have {MAX_BODY_BYTES} bytes; send fewer rows at a time")


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def _described(scope: Scope) -> dict[str, Any]:
    """Method and path; never the query, which strangers fill with what they like."""
    return {"method": scope["method"], "path": scope["path"]}


def _record(scope: Scope, status: int, seconds: float) -> None:
    route = scope.get("route")
    path = getattr(route, "path", "unmatched")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    REQUESTS.labels(method, path, str(status)).inc()
    SECONDS.labels(path).observe(seconds)
    level = logging.DEBUG if status < 400 else logging.INFO if status < 500 else logging.ERROR
    if log.isEnabledFor(level):
        log.log(
            level, "answered", extra=_described(scope) | {"status": status, "ms": round(seconds * 1e3, 2)}
        )
