"""The report in a real browser: what people see of a check, wide and narrow, without Internet access."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from pymongo.database import Database

from cryptobot.settings import Settings
from expectations.checkpoint import run_checkpoint
from tests.browser import chromium
from tests.expectations.candles import documents, whole_span

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(params=[1440, 390])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": request.param, "height": 900}, offline=True)
    opened = context.new_page()
    yield opened
    context.close()


def test_a_failed_check_is_found_and_read(
    settings: Settings, database: Database[dict[str, Any]], page: Page, tmp_path: Path
) -> None:
    broken = documents()
    broken[5]["high"] = 1.0
    database["historical_data"].insert_many(broken[:10] + broken[12:] + documents("ETHUSDT"))
    run_checkpoint(settings, database, [whole_span(), whole_span("ETHUSDT")])
    asked: list[str] = []
    trouble: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    width = page.viewport_size["width"] if page.viewport_size else 0

    page.goto(f"file://{settings.docs_dir}/index.html")
    assert page.locator("tbody tr .outcome").all_inner_texts() == ["passed", "blocked"]
    page.get_by_role("searchbox").fill("blocked")
    assert page.locator("tbody tr:visible").count() == 1
    page.screenshot(path=tmp_path / f"quality_index_{width}.png")
    page.get_by_role("link", name="BTCUSDT-1h").click()

    assert page.get_by_text("high is never below low").is_visible()
    page.screenshot(path=tmp_path / f"quality_result_{width}.png")
    page.get_by_label("Show only what failed").check()
    assert page.get_by_text("high is never below low").is_visible()
    assert not page.get_by_text("Keys are unique").is_visible()
    assert page.get_by_text("2 from 2026-01-01 10:00").is_visible()
    page.get_by_text("Show more info...").click()
    assert page.get_by_text("Great Expectations Version").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    page.screenshot(path=tmp_path / f"quality_failed_{width}.png", full_page=True)
    page.get_by_role("link", name="CryptoBot data quality").click()
    assert page.locator("tbody tr").count() == 2

    assert trouble == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
