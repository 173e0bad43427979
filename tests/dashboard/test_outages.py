"""The dashboard while something is missing: said in one line, and overcome without the viewer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pymongo.database import Database

from tests.browser import chromium
from tests.dashboard.browser import card, log_in, wait_for_chart
from tests.dashboard.conftest import Product
from tests.dashboard.market import candles, set_ticker

pytestmark = pytest.mark.slow


@pytest.fixture
def apart(product: Product, mongo_uri: str) -> Product:
    """Servers of the test's own, on the same market."""
    return Product(product.database, product.folder / "apart", mongo_uri)


@pytest.fixture
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page()


def test_a_market_without_data_says_what_is_missing(
    database: Database[dict[str, Any]], product: Product, mongo_uri: str, page: Page
) -> None:
    empty = Product(database, product.folder / "empty", mongo_uri)
    with empty.api(), empty.dashboard():
        log_in(page, empty.address)
        expect(page.locator("#chart-note")).to_contain_text("No 15m candles of BTC/USDT yet")
        expect(card(page, "BTC/USDT")).to_contain_text("no live price yet")
        expect(card(page, "BTC/USDT")).to_contain_text("none serves yet")
        expect(page.locator(".ag-overlay-no-rows-center")).to_contain_text("No signal yet")

        database.historical_data.insert_many(candles("BTCUSDT", "15m", 100, datetime.now(UTC)))
        expect(page.locator("#chart-note")).to_be_hidden()
        wait_for_chart(page)


def test_a_restart_of_either_server_is_said_and_overcome(apart: Product, page: Page) -> None:
    with contextlib.ExitStack() as api, contextlib.ExitStack() as dashboard:
        api.enter_context(apart.api())
        dashboard.enter_context(apart.dashboard())
        log_in(page, apart.address)
        wait_for_chart(page)

        api.close()
        expect(page.locator("#api-away")).to_contain_text("does not answer")
        api.enter_context(apart.api())
        expect(page.locator("#api-away")).to_be_hidden()

        dashboard.close()
        expect(page.locator("#connection")).to_contain_text("does not answer")
        dashboard.enter_context(apart.dashboard())
        expect(page.locator("#connection")).to_be_hidden()
        set_ticker(apart.database, "BTCUSDT", 70_000.5, datetime.now(UTC))
        expect(card(page, "BTC/USDT")).to_contain_text("70,000.50")
