"""Errors as RFC 9457 problem details, whatever raised them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from pymongo.errors import ConnectionFailure
from starlette.exceptions import HTTPException

from api.correlation import correlation_id
from api.json import dumps
from cryptobot.storage.pages import InvalidCursorError

MEDIA_TYPE = "application/problem+json"


class ProblemDetails(BaseModel):
    """The body of every error (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["DOGEUSDT is not watched here; GET /v1/symbols lists the symbols"])
    correlation_id: str = Field(description="Also in the X-Request-Id header and in the logs")
    errors: list[dict[str, Any]] | None = Field(None, description="With 422: what is wrong, and where")


class Problem(Exception):  # noqa: N818 - the RFC's word
    """An error with a status that the caller is told."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})


class Unauthorized(Problem):
    """Nobody known asks."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"WWW-Authenticate": 'Bearer realm="cryptobot"'})


class Forbidden(Problem):
    """Known, but not allowed to."""

    status = HTTPStatus.FORBIDDEN


class NotFound(Problem):
    """No such thing."""

    status = HTTPStatus.NOT_FOUND


class Conflict(Problem):
    """Not as things stand."""

    status = HTTPStatus.CONFLICT


class Unprocessable(Problem):
    """Understood, but wrong."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class TooManyRequests(Problem):
    """Later, please."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, retry_after_seconds: int) -> None:
        super().__init__(detail, {"Retry-After": str(max(1, retry_after_seconds))})


class Unavailable(Problem):
    """Not at present; the detail says what is missing."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"Retry-After": "5"})


def problem_response(
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: list[dict[str, Any]] | None = None,
) -> Response:
    """Return the problem document for ``status``."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "correlation_id": correlation_id(),
    }
    if errors is not None:
        body["errors"] = errors
    return Response(dumps(body), int(status), dict(headers or {}), MEDIA_TYPE)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for nothing else
    return problem_response(error.status, error.detail, headers=error.headers)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    detail = {
        404: f"there is nothing at {request.url.path}; GET /openapi.json lists what there is",
        405: f"{request.url.path} does not take {request.method}",
    }.get(error.status_code, str(error.detail))
    return problem_response(error.status_code, detail, headers=error.headers)


async def _validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    # What was sent is not repeated: it may hold a password.
    errors = [
        {"where": ".".join(map(str, item["loc"])), "message": item["msg"], "kind": item["type"]}
        for item in error.errors()
    ]
    detail = "; ".join(f"{item['where']}: {item['message']}" for item in errors[:3])
    return problem_response(422, detail or "the request is not valid", errors=errors)


async def _cursor(_: Request, error: Exception) -> Response:
    return problem_response(422, str(error))


async def _database(_: Request, __: Exception) -> Response:
    return problem_response(
        503, "the database does not answer; try again in a few seconds", headers={"Retry-After": "5"}
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Make every error of ``app`` a problem document; unforeseen ones are caught by the envelope."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(InvalidCursorError, _cursor)
    app.add_exception_handler(ConnectionFailure, _database)
