"""What the feeds of every page share: who asks the API, where answers are shown, the footer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dashboard.api_client import ApiClient
from dashboard.page import Page
from dashboard.parts import services
from dashboard.sessions import Session

Document = dict[str, Any]


class PageFeeds:
    """Asks the API as the page's viewer, and shows what it answers on the page."""

    def __init__(self, api: ApiClient, session: Session, page: Page) -> None:
        self._api, self._session, self._page = api, session, page

    async def pipeline(self) -> None:
        """Show the services' health, the outcome of the data's checks, and the way to Airflow."""
        pipeline = await self._get("/v1/pipeline") or {}
        if address := pipeline.get("airflow_url"):
            self._show_airflow(address)
        checks = await self._items("/v1/quality")
        running = services.health(pipeline.get("services", []), datetime.now(UTC))
        if running or checks:
            self._page.show("services", children=[*running, *services.quality(checks)])

    def _show_airflow(self, address: str) -> None:
        self._page.show("airflow-link", href=address)

    async def _get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        return await self._api.get(self._session, path, query)

    async def _items(self, path: str, query: dict[str, Any] | None = None) -> list[Document]:
        """Return a list of the API in its order: candles rising, signals and models the newest first."""
        answer = await self._get(path, query)
        return answer["items"] if answer else []
