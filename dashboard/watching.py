"""Watching for one open page: ask the API at a steady pace until the page is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dashboard.api_client import ApiAwayError, ApiRefusedError, SignedOutError
from dashboard.page import Page

ROUND_SECONDS, RETRY_SECONDS = 1.0, 3.0
ASK_PAGE_SECONDS, PAGE_ANSWERS_SECONDS = 20.0, 10.0

log = logging.getLogger(__name__)


@dataclass
class Feed:
    """Something that a page shows, and how often it is asked for."""

    refresh: Callable[[], Awaitable[None]]
    every_seconds: float
    due: float = 0.0


class Watch:
    """Refreshes the feeds of one page; the API being away is said on the page, and overcome."""

    def __init__(self, page: Page, feeds: Sequence[Feed]) -> None:
        self._page = page
        self._feeds = feeds
        self._replaced = asyncio.Event()
        self._away_since: datetime | None = None

    def replace(self) -> None:
        """End this watch at once: its page has begun another."""
        self._page.leave()
        self._replaced.set()

    async def run(self) -> None:
        """Refresh until the page is gone, has begun another watch, or its viewer has logged out.

        A page without a live connection gets a single round.
        """
        now = asyncio.get_running_loop().time
        ask_page_at = now() + ASK_PAGE_SECONDS
        try:
            while not self._page.over:
                await self._round(now())
                if not self._page.live:
                    return
                if now() >= ask_page_at:
                    if not await self._page.answers(PAGE_ANSWERS_SECONDS):
                        return
                    ask_page_at = now() + ASK_PAGE_SECONDS
                with contextlib.suppress(TimeoutError):
                    pause = RETRY_SECONDS if self._away_since else ROUND_SECONDS
                    await asyncio.wait_for(self._replaced.wait(), pause)
        except SignedOutError:
            self._page.show("beat", data={"signedOut": True})

    async def _round(self, at: float) -> None:
        try:
            for feed in self._feeds:
                if feed.due <= at and not self._page.over:
                    await feed.refresh()
                    feed.due = at + feed.every_seconds
        except (ApiAwayError, ApiRefusedError) as problem:
            self._say(problem)
        else:
            self._away_since = None
            self._page.show("api-away", hidden=True)
        self._page.show("beat", data={"at": at})

    def _say(self, problem: Exception) -> None:
        if self._away_since is None:
            self._away_since = datetime.now(UTC)
            log.warning("%s; asking again every %g s", problem, RETRY_SECONDS)
        text = (
            f"No news since {self._away_since:%H:%M:%S} UTC: {problem}. "
            f"What you see is the last that was known; it is asked again every {RETRY_SECONDS:g} s."
        )
        self._page.show("api-away", children=text, hidden=False)


class Watches:
    """The watches under way, at most one for each open page."""

    def __init__(self) -> None:
        self._by_page: dict[str, Watch] = {}

    async def run(self, key: str, watch: Watch) -> None:
        """Run a watch, in place of the one that its page had before."""
        if former := self._by_page.get(key):
            former.replace()
        self._by_page[key] = watch
        try:
            await watch.run()
        finally:
            if self._by_page.get(key) is watch:
                del self._by_page[key]
