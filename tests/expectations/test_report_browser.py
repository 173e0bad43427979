"""The report in a real browser: what people see of a check, wide and narrow, without Internet access."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from pymongo.database import Database

from cryptobot.market import Span
from cryptobot.settings import Settings
from cryptobot.storage.gaps import ABSENT, record_states
from expectations.checkpoint import run_checkpoint
from tests.browser import DESKTOP, PHONE, chromium
from tests.expectations.candles import documents, whole_span

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def trouble() -> list[str]:
    """What pages complained of, or asked other hosts for."""
    return []


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(browser: Browser, request: pytest.FixtureRequest, trouble: list[str]) -> Iterator[Page]:
    trouble.clear()
    context = browser.new_context(viewport=request.param, offline=True)
    opened = context.new_page()
    opened.on(
        "request",
        lambda asked: trouble.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None,
    )
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    yield opened
    context.close()


@pytest.fixture
def checked(settings: Settings, database: Database[dict[str, Any]]) -> Settings:
    """Two runs: one of sound candles and of ones with a hole of the exchange's, one with bad candles."""
    bitcoin, ether = documents(), documents("ETHUSDT")
    for broken in bitcoin[5:30]:
        broken["high"] = broken["open"] - 1
    collection = database["historical_data"]
    collection.insert_many(
        bitcoin[:10] + bitcoin[12:] + ether[:20] + ether[21:], bypass_document_validation=True
    )
    hole = Span("ETHUSDT", whole_span().interval, ether[20]["open_time"], ether[21]["open_time"])
    record_states(database, whole_span("ETHUSDT"), [(hole, ABSENT)], found_by="test")
    first = Span(
        "ETHUSDT", whole_span().interval, whole_span().start, whole_span().start + timedelta(hours=9)
    )
    run_checkpoint(settings, database, [first])
    run_checkpoint(settings, database, [whole_span(), whole_span("ETHUSDT")])
    return settings


def fits(page: Page) -> bool:
    """Tell whether the page does not scroll sideways."""
    width = page.viewport_size["width"] if page.viewport_size else 0
    return bool(page.evaluate("document.documentElement.scrollWidth") <= width)


def test_a_failed_check_is_found_and_read(
    checked: Settings, page: Page, trouble: list[str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    device = request.node.callspec.id
    page.goto(f"file://{checked.docs_dir}/index.html")
    assert page.locator(".run-head .outcome").all_inner_texts() == ["blocked", "passed"]
    assert page.get_by_role("link", name="BTCUSDT-1h").get_by_text("blocked: 5 failed").is_visible()
    page.screenshot(path=tmp_path / f"index_{device}.png")
    assert fits(page)
    page.get_by_role("checkbox", name="passed").uncheck()
    assert page.locator(".run:visible").count() == 1
    page.get_by_role("searchbox").fill("no such pair")
    assert page.get_by_text("No run matches.").is_visible()
    page.get_by_role("searchbox").fill("btcusdt")

    page.get_by_role("link", name="BTCUSDT-1h").click()
    assert page.get_by_role("heading", name="BTCUSDT, candles of 1h").is_visible()
    assert page.get_by_text("2026-01-01 00:00 up to 2026-01-03 00:00").is_visible()
    assert page.get_by_text("clear the task checkpoint of validated_historical_data").is_visible()
    cards = page.locator(".check")
    assert cards.locator(".severity").all_inner_texts() == ["Critical"] * 3 + ["Warning"] * 2
    high = cards.filter(has_text="high is never below open")
    assert high.locator("tbody tr").count() == 20
    assert high.get_by_text("The first 20 of 23").is_visible()
    first = high.locator("tbody tr").first.inner_text().split("\t")
    assert first == [documents()[5]["_id"], "2026-01-01 05:00", "104", "105"]
    assert cards.get_by_text("2 candles are missing in 1 hole: 2 from 2026-01-01 10:00").is_visible()
    assert not page.get_by_text("Keys are unique").is_visible()
    page.get_by_text("Keys and fields").click()
    assert page.get_by_text("Keys are unique").is_visible()
    assert page.get_by_text("only 0 candles are stored of the four weeks before").is_visible()
    assert fits(page)
    page.screenshot(path=tmp_path / f"blocked_{device}.png", full_page=True)
    page.get_by_role("link", name="All checks").click()
    assert page.get_by_role("heading", name="Checks of the data").is_visible()

    page.get_by_role("link", name="ETHUSDT-1h").first.click()
    assert page.locator(".verdict .outcome").inner_text() == "warnings"
    assert page.get_by_text("Nothing critical failed: the data is used.").is_visible()
    assert page.get_by_text("The exchange itself has every candle of the range").is_visible()
    assert fits(page)
    page.screenshot(path=tmp_path / f"warnings_{device}.png", full_page=True)
    assert trouble == []
