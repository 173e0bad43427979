"""The dashboard's server: Dash on FastAPI, behind a log-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dash
import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from cryptobot.settings import Settings
from dashboard import log_in, reports
from dashboard.api_client import ApiClient
from dashboard.gate import Gate, viewer
from dashboard.market_feeds import MarketFeeds
from dashboard.models_feeds import ModelsFeeds
from dashboard.page import Page
from dashboard.pages import market, models, not_found
from dashboard.parts import shell
from dashboard.sessions import Session, SessionStore
from dashboard.watching import Watch, Watches


def build(settings: Settings) -> ASGIApp:
    """Return the server for these settings. One to a process: Dash keeps its pages globally."""
    sessions = SessionStore(settings.dashboard_sessions, settings.token_key.get_secret_value())
    api = ApiClient(settings.api_url, sessions)

    @asynccontextmanager
    async def lifespan(server: FastAPI) -> AsyncIterator[None]:
        await _prepare(server)
        yield
        await api.close()

    server: Any = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @server.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    server.include_router(log_in.routes(api, sessions))
    server.include_router(reports.routes(api))
    app = dash.Dash(
        "dashboard",
        server=server,
        use_pages=True,
        pages_folder="",
        title="CryptoBot",
        update_title="",
        assets_ignore=r"log_in\.css",
        compress=True,
        index_string=(Path(__file__).parent / "index.html").read_text(encoding="utf-8"),
    )
    market.register(settings)
    models.register(settings)
    not_found.register()
    app.layout = shell.layout
    _watch_pages(app, api, settings)
    return Gate(server, sessions)


async def _prepare(server: FastAPI) -> None:
    """Let Dash find its pages and assets, which it does when its start page is first asked for.

    Any other address asked for before would be answered without scripts and styles.
    """
    transport = httpx.ASGITransport(server)
    async with httpx.AsyncClient(transport=transport, base_url="http://dashboard") as client:
        (await client.get("/")).raise_for_status()


def _watch_pages(app: dash.Dash, api: ApiClient, settings: Settings) -> None:
    """Begin to watch for a page whenever it opens or changes its view."""
    watches = Watches()

    @app.callback(dash.Input("view", "data"), websocket=True, persistent=True)
    async def watch_market(view: dict[str, Any] | None) -> None:
        await watch(
            "view",
            view,
            lambda session, page, shown: MarketFeeds(
                api, session, page, settings, shown["symbol"], shown["interval"]
            ),
        )

    @app.callback(dash.Input("models-view", "data"), websocket=True, persistent=True)
    async def watch_models(view: dict[str, Any] | None) -> None:
        await watch(
            "models-view",
            view,
            lambda session, page, shown: ModelsFeeds(api, session, page, settings, shown["symbol"]),
        )

    async def watch(
        name: str,
        view: dict[str, Any] | None,
        feeds_of: Callable[[Session, Page, dict[str, Any]], MarketFeeds | ModelsFeeds],
    ) -> None:
        session = viewer()
        if session is None or view is None:
            return
        page = Page(dash.ctx.websocket, name)
        feeds = feeds_of(session, page, view).feeds()
        await watches.run(f"{session.key} {view['page']}", Watch(page, feeds))
