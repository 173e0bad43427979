"""`make run` on the recorded candles: from the exchange to a signal on the dashboard."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from cryptobot.market import Interval, Kline
from tests.browser import DESKTOP, PHONE, chromium
from tests.e2e.product import RUN_LIMIT_S, Product
from tests.servers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(RUN_LIMIT_S + 120)]

SYMBOLS = ("BTCUSDT", "ETHUSDT")
FIELDS = [name for name in Kline.__slots__ if name != "interval"]


def recorded(folder: Path) -> dict[str, Kline]:
    """Every 1-minute candle of the record, by its key."""
    found = {}
    for path in sorted(folder.glob("*-1m-*.csv")):
        symbol = path.name.split("-")[0]
        with path.open() as lines:
            klines = (Kline.from_rest(symbol, Interval.MINUTE_1, row) for row in csv.reader(lines))
            found.update({kline.key: kline for kline in klines})
    return found


def test_history_holds_exactly_the_recorded_candles(replay: Product, shared_data: Path) -> None:
    expected = recorded(shared_data / "klines")
    stored = {
        document["_id"]: document for document in replay.database().historical_data.find({"interval": "1m"})
    }
    assert len(expected) == 8_640
    assert stored.keys() == expected.keys()
    for key, kline in expected.items():
        assert {name: stored[key][name] for name in FIELDS} == {name: getattr(kline, name) for name in FIELDS}


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_each_pair_is_predicted_by_its_champion(replay: Product, symbol: str) -> None:
    with replay.client() as api:
        champion = api.get("/v1/models/champion", params={"symbol": symbol}).json()
        answer = api.post("/v1/predictions", json={"symbol": symbol})
    prediction = answer.json()
    assert answer.status_code == 200
    assert prediction["model_version"] == champion["version"]
    assert prediction["signal"] in {"buy", "hold", "sell"}
    assert sum(prediction["probabilities"].values()) == pytest.approx(1.0, abs=1e-4)


def test_every_worker_serves_the_champions(replay: Product) -> None:
    database = replay.database()
    champions = {pointer["_id"]: pointer["version"] for pointer in database.champions.find()}
    workers = list(database.service_health.find({"service": "api", "state": "healthy"}))
    assert set(champions) == set(SYMBOLS)
    assert len(workers) == 2
    for worker in workers:
        assert worker["detail"]["models"] == champions


def test_signals_are_made_once_a_candle_and_model(replay: Product) -> None:
    signals = list(replay.database().signals.find())
    assert {signal["symbol"] for signal in signals} == set(SYMBOLS)
    assert len({(one["symbol"], one["open_time"], one["model_version"]) for one in signals}) == len(signals)


def test_the_checkpoint_passed_and_is_on_record(replay: Product) -> None:
    result = replay.database().quality_results.find_one({"collection": "historical_data"})
    assert result is not None
    assert result["worst_severity"] != "critical"
    assert result["rows"] >= 8_640


def test_the_live_feed_lands_in_streaming_data(replay: Product) -> None:
    collection = replay.database().streaming_data
    for kind in ("trade", "ticker", "kline"):
        for symbol in SYMBOLS:
            wait_until(
                lambda kind=kind, symbol=symbol: collection.find_one({"kind": kind, "symbol": symbol}),
                limit=150,
                what=f"a {kind} of {symbol} in streaming_data",
            )


def sign_in(page: Page, product: Product, address: str) -> None:
    user, password = product.log_in()
    page.goto(address)
    page.locator("input[name=username]").fill(user)
    page.locator("input[type=password]").fill(password)
    page.locator("button[type=submit]").click()


def test_the_dashboard_shows_both_pairs(replay: Product, tmp_path: Path) -> None:
    with chromium() as browser:
        for name, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
            page = browser.new_page(viewport=viewport)
            sign_in(page, replay, replay.dashboard)
            for pair in ("BTC/USDT", "ETH/USDT"):
                expect(page.get_by_text(pair).first).to_be_visible(timeout=20_000)
            expect(page.locator("canvas").first).to_be_visible(timeout=20_000)
            page.screenshot(path=tmp_path / f"dashboard-{name}.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
            page.close()


def test_the_quality_report_shows_the_checkpoint(replay: Product, tmp_path: Path) -> None:
    with chromium() as browser:
        page = browser.new_page(viewport=DESKTOP)
        sign_in(page, replay, f"{replay.api}/quality/")
        expect(page.get_by_text("historical_data").first).to_be_visible(timeout=20_000)
        page.screenshot(path=tmp_path / "quality.png")


def test_airflow_asks_for_a_log_in(replay: Product) -> None:
    with chromium() as browser:
        page = browser.new_page(viewport=DESKTOP)
        page.goto(replay.airflow)
        expect(page.locator("input[type=password]")).to_be_visible(timeout=30_000)


def test_a_second_run_adds_no_candle(replay: Product) -> None:
    before = replay.database().historical_data.count_documents({})
    again = replay.command("run", limit_s=RUN_LIMIT_S)
    assert again.returncode == 0, f"{again.stdout}\n{again.stderr}"
    assert replay.database().historical_data.count_documents({}) == before


def test_every_service_is_healthy_and_light(replay: Product) -> None:
    status = replay.command("status")
    assert status.returncode == 0, status.stdout
    for service in (
        "mongod",
        "kafka",
        "exchange",
        "airflow-scheduler",
        "producer",
        "sink",
        "signals",
        "notifier",
        "api",
        "dashboard",
    ):
        assert service in status.stdout
