"""The quality reports, passed through from the API with the viewer's token."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from dashboard.api_client import ApiAwayError, ApiClient, SignedOutError
from dashboard.gate import viewer

_PASSED_ON = ("content-type", "etag", "last-modified", "cache-control", "content-security-policy")


def routes(api: ApiClient) -> APIRouter:
    """Return the route ``/quality/...``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/quality/{path:path}")
    async def report(path: str) -> Response:
        session = viewer()
        if session is None:
            return RedirectResponse("/login", 303)
        try:
            answer = await api.fetch(session, f"/quality/{quote(path)}")
        except SignedOutError:
            return RedirectResponse(f"/login?next=/quality/{quote(path)}", 303)
        except ApiAwayError as away:
            return PlainTextResponse(f"The quality report cannot be shown now: {away}. Try again soon.", 503)
        if answer.status_code == 404 and not path:
            return PlainTextResponse(
                "There is no quality report yet: it is written when the pipeline's first checkpoint has run.",
                404,
            )
        headers = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
        return Response(answer.content, answer.status_code, headers)

    return router
