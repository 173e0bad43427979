"""What the page of models shows, asked of the API as its viewer and sent where it changed."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptobot.settings import Settings
from dashboard import wording
from dashboard.api_client import ApiClient
from dashboard.feeds import PageFeeds
from dashboard.page import Page
from dashboard.parts import backtest, drift, models
from dashboard.parts.cards import part
from dashboard.sessions import Session
from dashboard.watching import Feed

DAYS, VERSIONS = 30, 50


class ModelsFeeds(PageFeeds):
    """The feeds of a page with a card for each symbol's champion, and the versions and drift of one."""

    def __init__(self, api: ApiClient, session: Session, page: Page, settings: Settings, symbol: str) -> None:
        super().__init__(api, session, page)
        self._symbols, self._symbol = settings.symbols, symbol
        self._serving: str | None = None

    def feeds(self) -> list[Feed]:
        """Return the feeds, what is looked at first first."""
        return [
            Feed(self.champions, every_seconds=10),
            Feed(self.drift, every_seconds=30),
            Feed(self.versions, every_seconds=20),
            Feed(self.backtest, every_seconds=30),
            Feed(self.pipeline, every_seconds=10),
        ]

    async def champions(self) -> None:
        """Show which model serves each symbol, why, and how good it is out of sample."""
        now = datetime.now(UTC)
        for symbol in self._symbols:
            champion = await self._get("/v1/models/champion", {"symbol": symbol})
            self._page.show(part(symbol, "champion"), children=models.champion(champion, now))
            if symbol == self._symbol:
                self._serving = champion["version"] if champion else None

    async def drift(self) -> None:
        """Show on each card whether its model has drifted; of the chosen symbol the last days."""
        for symbol in self._symbols:
            answer = await self._get("/v1/drift", {"symbol": symbol, "limit": DAYS})
            days = answer["items"] if answer else []
            text, style = drift.badge(days)
            self._page.show(part(symbol, "drift"), children=text, className=style)
            if symbol == self._symbol:
                self._page.show("drift-chart", **drift.chart_of(days))
                self._page.show("drift-said", children=drift.said(days))
                self._page.show("drift-features", children=drift.features(days))
                self._page.show("drift-model", children=drift.predictions_and_hits(days))

    async def versions(self) -> None:
        """Show the champion, its challengers and its predecessors with their figures out of sample."""
        found = await self._items("/v1/models", {"symbol": self._symbol, "limit": VERSIONS})
        self._page.show("versions", rowData=models.rows(found))
        self._page.show("versions-of", children=f"Models of {wording.pair(self._symbol)}")

    async def backtest(self) -> None:
        """Show what following the champion would have been worth, and each condition that was asked of it."""
        query = {"symbol": self._symbol, "version": self._serving, "limit": 1}
        found = await self._items("/v1/backtests", query) if self._serving else []
        record = found[0] if found else None
        self._page.show("backtest-chart", data=backtest.chart_of(record))
        self._page.show("backtest-conditions", children=backtest.conditions(record))

    def _show_airflow(self, address: str) -> None:
        super()._show_airflow(address)
        self._page.show("roll-back-link", href=f"{address}/dags/roll_back")
