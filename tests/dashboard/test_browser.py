"""The dashboard in Chromium, as a person sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import DESKTOP, PHONE, chromium
from tests.dashboard.browser import PATIENCE_MS, card, log_in, wait_for_chart
from tests.dashboard.conftest import PASSWORD, Product
from tests.dashboard.market import PRICES, candles, set_ticker, signals

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def requests() -> list[str]:
    """Addresses that the pages of the test have asked for."""
    return []


@pytest.fixture
def context(browser: Browser, requests: list[str]) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport=DESKTOP, color_scheme="dark")
    made.set_default_timeout(PATIENCE_MS)
    made.on("request", lambda request: requests.append(request.url))
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, product: Product) -> Page:
    """The main page, logged in, with live prices."""
    now = datetime.now(UTC)
    for symbol, price in PRICES.items():
        set_ticker(product.database, symbol, price, now)
    opened = context.new_page()
    log_in(opened, product.address)
    expect(card(opened, "BTC/USDT").locator(".price")).to_have_text("67,000.00")
    return opened


def test_a_wrong_password_is_told_and_a_right_one_goes_on(context: BrowserContext, product: Product) -> None:
    page = context.new_page()
    log_in(page, f"{product.address}/market/ETHUSDT?interval=1h", "wrong")
    expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    wait_for_chart(page)
    expect(page).to_have_url(f"{product.address}/market/ETHUSDT?interval=1h")
    expect(page).to_have_title("ETH/USDT · CryptoBot")


def test_both_pairs_are_shown_with_signal_and_model(page: Page) -> None:
    bitcoin, ether = card(page, "BTC/USDT"), card(page, "ETH/USDT")
    expect(bitcoin).to_contain_text("▲ +2.04 %")
    expect(bitcoin).to_contain_text("● live")
    expect(bitcoin).to_contain_text("▼ SELL")
    expect(bitcoin).to_contain_text("60% confidence")
    expect(bitcoin).to_contain_text("XGBoost, serving for")
    expect(bitcoin).to_contain_text("BTCUSDT-20261122T120000Z-0a1b2c3d")
    expect(bitcoin).not_to_contain_text("not fit")
    expect(ether).to_contain_text("3,400.00")
    expect(ether).to_contain_text("not fit")
    expect(page.locator(".ag-row").first).to_be_visible()
    expect(page.locator(".service")).to_contain_text(["✓ producer"])
    expect(page.get_by_role("link", name="Airflow")).to_have_attribute("href", re.compile("^http"))
    expect(page.locator(".user")).to_have_text("admin")
    expect(page.get_by_text("no investment advice")).to_be_visible()


def test_the_chart_is_drawn_and_switched(page: Page, product: Product) -> None:
    wait_for_chart(page)
    card(page, "ETH/USDT").click()
    page.get_by_text("1h", exact=True).click()
    expect(page).to_have_url(f"{product.address}/market/ETHUSDT?interval=1h")
    wait_for_chart(page)
    page.reload()
    wait_for_chart(page)
    expect(page.get_by_role("radio", name="1h")).to_be_checked()
    expect(page.get_by_role("button", name="ETH/USDT")).to_have_attribute("aria-pressed", "true")


def test_the_price_moves_with_the_market_and_is_marked_when_it_does_not(page: Page, product: Product) -> None:
    set_ticker(product.database, "BTCUSDT", 68_123.45, datetime.now(UTC))
    expect(card(page, "BTC/USDT").locator(".price")).to_have_text("68,123.45")
    set_ticker(product.database, "BTCUSDT", 68_123.45, datetime.now(UTC) - timedelta(minutes=5))
    expect(card(page, "BTC/USDT")).to_contain_text("stale, 5 min old")


def test_a_new_signal_appears_by_itself(page: Page, product: Product) -> None:
    next_hour = datetime.now(UTC) + timedelta(hours=1)
    (candle,) = candles("ETHUSDT", "15m", 1, next_hour)
    (signal,) = signals("ETHUSDT", [candle])
    product.database.signals.insert_one({**signal, "signal": "buy", "confidence": 0.87})
    try:
        expect(card(page, "ETH/USDT")).to_contain_text("▲ BUY")
        expect(card(page, "ETH/USDT")).to_contain_text("87% confidence")
        expect(page.locator(".ag-row[row-index='0']")).to_contain_text("87%")
    finally:
        product.database.signals.delete_one({"_id": signal["_id"]})


def test_nothing_is_asked_of_other_places(page: Page, product: Product, requests: list[str]) -> None:
    wait_for_chart(page)
    local = (product.address, "data:", "blob:")
    assert [url for url in requests if not url.startswith(local)] == []


@pytest.mark.parametrize(("viewport", "scheme"), [(DESKTOP, "dark"), (PHONE, "light")])
def test_it_fits_desktop_and_phone(page: Page, tmp_path: Path, viewport: dict[str, int], scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(viewport)
    wait_for_chart(page)
    page.screenshot(path=tmp_path / f"market-{viewport['width']}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@pytest.fixture
def models_page(page: Page) -> Page:
    """The page of models, come to by its link."""
    page.get_by_role("link", name="Models").click()
    expect(page).to_have_title("Models of BTC/USDT · CryptoBot")
    return page


def test_models_are_shown_with_their_figures_and_their_drift(models_page: Page, product: Product) -> None:
    page = models_page
    bitcoin, ether = card(page, "BTC/USDT"), card(page, "ETH/USDT")
    expect(bitcoin).to_contain_text("▲ drifted")
    expect(bitcoin).to_contain_text("+1.20 %")
    expect(bitcoin).to_contain_text("Why it serves: first model")
    expect(ether).to_contain_text("● no drift")
    expect(ether).to_contain_text("not fit")
    expect(page.locator("#drift-said")).to_contain_text("have left what the model was trained on: 65%")
    expect(page.locator("#drift-chart .recharts-bar-rectangle path")).to_have_count(30)
    expect(page.locator("#drift-features")).to_contain_text("realised_96")
    expect(page.locator(".small-table .down")).to_have_count(2)
    expect(page.locator("#backtest-chart path.recharts-line-curve")).to_have_count(2)
    expect(page.locator("#backtest-conditions")).to_contain_text("4 of 4 folds")
    expect(page.locator("#versions .ag-row")).to_have_count(4)
    expect(page.get_by_role("link", name="Models")).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("link", name="Roll back")).to_have_attribute(
        "href", re.compile("/dags/roll_back$")
    )


def test_another_pairs_models_are_chosen_and_stay_chosen(models_page: Page, product: Product) -> None:
    page = models_page
    card(page, "ETH/USDT").click()
    expect(page).to_have_url(f"{product.address}/models/ETHUSDT")
    expect(page.locator("#drift-said")).to_contain_text("distributed as the training leads one to expect")
    expect(page.locator("#backtest-conditions .down")).to_have_count(1)
    page.reload()
    expect(page.get_by_role("radio", name="ETH/USDT")).to_be_checked()
    expect(page.locator("#drift-said")).to_contain_text("distributed as the training leads one to expect")
    page.get_by_role("link", name="Market").click()
    wait_for_chart(page)


@pytest.mark.parametrize(("viewport", "scheme"), [(DESKTOP, "dark"), (PHONE, "light")])
def test_the_models_fit_desktop_and_phone(
    models_page: Page, tmp_path: Path, viewport: dict[str, int], scheme: str
) -> None:
    page = models_page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(viewport)
    expect(page.locator("#drift-chart .recharts-bar-rectangle path")).to_have_count(30)
    page.screenshot(path=tmp_path / f"models-{viewport['width']}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_an_unknown_address_or_pair_is_said(page: Page, product: Product) -> None:
    page.goto(f"{product.address}/nowhere")
    expect(page.get_by_text("There is no page at this address")).to_be_visible()
    page.goto(f"{product.address}/market/DOGEUSDT")
    expect(page.get_by_text("DOGEUSDT is not watched; watched are BTCUSDT, ETHUSDT.")).to_be_visible()
    expect(card(page, "BTC/USDT")).to_contain_text("● live")


def test_a_log_out_closes_every_page(page: Page, context: BrowserContext, product: Product) -> None:
    other = context.new_page()
    other.goto(product.address)
    expect(card(other, "BTC/USDT")).to_contain_text("● live")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{product.address}/login")
    expect(other).to_have_url(re.compile("/login"))
