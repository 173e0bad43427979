from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dashboard import page as pages
from dashboard.api_client import ApiAwayError, SignedOutError
from dashboard.page import Page
from dashboard.watching import Feed, Watch, Watches


class Connection:
    """A live connection of which the tests decide whether it and its page are there."""

    is_shutdown = False

    async def get_prop(self, *_: Any, **__: Any) -> Any:
        return {"symbol": "BTCUSDT"}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page shows, by component."""
    seen: dict[str, dict[str, Any]] = {}
    monkeypatch.setattr(pages, "set_props", lambda name, props: seen.setdefault(str(name), {}).update(props))
    return seen


async def test_only_what_changed_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(pages, "set_props", lambda name, props: sent.append((name, props)))
    page = Page(Connection())
    page.show("price", children="1", className="up")
    page.show("price", children="2", className="up")
    page.show("price", children="2", className="up")
    assert sent == [("price", {"children": "1", "className": "up"}), ("price", {"children": "2"})]


async def test_a_page_without_a_live_connection_gets_one_round(shown: dict[str, Any]) -> None:
    rounds = 0

    async def refresh() -> None:
        nonlocal rounds
        rounds += 1

    await Watch(Page(None), [Feed(refresh, every_seconds=0)]).run()
    assert rounds == 1
    assert "at" in shown["beat"]["data"]


async def test_an_absent_api_is_said_and_its_return_clears_it(
    shown: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.watching.RETRY_SECONDS", 0.0)
    connection, away = Connection(), asyncio.Event()

    async def refresh() -> None:
        if not away.is_set():
            away.set()
            raise ApiAwayError("the API does not answer")
        assert shown["api-away"]["hidden"] is False
        assert "the API does not answer" in shown["api-away"]["children"]
        connection.is_shutdown = True

    watch = Watch(Page(connection), [Feed(refresh, every_seconds=0)])
    await watch.run()
    assert away.is_set()


async def test_a_new_view_silences_the_former_even_in_mid_request(shown: dict[str, Any]) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()
    former, latter = Page(Connection()), Page(None)

    async def slow() -> None:
        asked.set()
        await answered.wait()
        former.show("chart", series="former")

    async def quick() -> None:
        latter.show("chart", series="latter")
        answered.set()

    watches = Watches()
    first = asyncio.create_task(watches.run("page", Watch(former, [Feed(slow, every_seconds=0)])))
    await asked.wait()
    await watches.run("page", Watch(latter, [Feed(quick, every_seconds=0)]))
    await asyncio.wait_for(first, 5)
    assert shown["chart"] == {"series": "latter"}


async def test_who_has_logged_out_is_sent_to_the_log_in(shown: dict[str, Any]) -> None:
    async def refresh() -> None:
        raise SignedOutError

    await Watch(Page(Connection()), [Feed(refresh, every_seconds=0)]).run()
    assert shown["beat"]["data"] == {"signedOut": True}


async def test_a_page_that_is_gone_is_watched_no_more(
    shown: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(Connection):
        async def get_prop(self, *_: Any, **__: Any) -> Any:
            raise TimeoutError

    async def refresh() -> None: ...

    monkeypatch.setattr("dashboard.watching.ASK_PAGE_SECONDS", 0.0)
    await asyncio.wait_for(Watch(Page(Gone()), [Feed(refresh, every_seconds=0)]).run(), 5)
    assert shown["beat"]
