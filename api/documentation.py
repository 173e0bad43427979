"""The OpenAPI document: what FastAPI derives, with every error as a problem document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from api.problems import MEDIA_TYPE, ProblemDetails

_ERRORS = {
    "401": "No valid token",
    "403": "The token lacks a scope",
    "404": "No such thing",
    "409": "Not as things stand; `detail` says why",
    "422": "The request is not valid",
    "429": "Too many failed log-ins; `Retry-After` says when to try again",
    "503": "Not available at present; `detail` says what is missing",
}
_ASSETS = Path(fastapi_offline.__file__).with_name("static")
"""Swagger UI, served from here: the page asks nothing of other hosts."""
_DOCS_CSP = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)
_LOG_IN = {"/v1/auth/token", "/v1/auth/refresh", "/v1/auth/logout"}
_ORDERS = {"/v1/models/promote", "/v1/models/roll-back"}
_OPEN = {"/livez", "/readyz", "/metrics"}


def describe(app: FastAPI) -> None:
    """Give ``app`` its OpenAPI document, and ``/docs`` to try it out in a browser."""

    app.mount("/docs/assets", StaticFiles(directory=_ASSETS))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="CryptoBot API",
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon.png",
        )
        page.headers["Content-Security-Policy"] = _DOCS_CSP
        return page

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title="CryptoBot",
                version="1",
                description="Market data, signals and models of CryptoBot. Times are ISO 8601 in UTC, "
                "lists come in pages (`next_cursor`), errors are RFC 9457 problems. No investment advice.",
                routes=app.routes,
            )
            _describe_errors(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe_errors(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            responses = operation["responses"]
            if path in _OPEN:
                continue
            wanted = set(_ERRORS) - ({"403", "404"} if path in _LOG_IN else {"429"})
            if path not in _ORDERS:
                wanted.discard("409")
            for status in sorted(wanted):
                responses[status] = {"description": _ERRORS[status], "content": content}
