"""Clients that nobody here wrote, unmodified but for addresses."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import ccxt
import pytest
from binance import AsyncClient, BinanceSocketManager, Client


@pytest.fixture(scope="module")
def by_ccxt(exchange: str) -> ccxt.binance:
    client = ccxt.binance(
        {"options": {"defaultType": "spot", "fetchMarkets": ["spot"], "fetchCurrencies": False}}
    )
    client.urls["api"]["public"] = f"{exchange}/api/v3"
    return client


def test_ccxt_reads_markets_and_candles(by_ccxt: ccxt.binance) -> None:
    market = by_ccxt.load_markets()["BTC/USDT"]
    assert (market["id"], market["active"], market["precision"]["price"]) == ("BTCUSDT", True, 0.01)
    since = 1_700_000_040_000
    candles = by_ccxt.fetch_ohlcv("BTC/USDT", "1m", since=since, limit=1000)
    assert [row[0] for row in candles] == [since + number * 60_000 for number in range(1000)]
    assert all(
        low <= min(open_, close) <= max(open_, close) <= high for _, open_, high, low, close, _ in candles
    )
    assert len(by_ccxt.fetch_ohlcv("ETH/USDT", "1d", limit=10)) == 10


def test_ccxt_reads_trades_and_tickers(by_ccxt: ccxt.binance) -> None:
    trades = by_ccxt.fetch_trades("BTC/USDT", limit=100)
    assert len(trades) == 100
    assert {trade["side"] for trade in trades} == {"buy", "sell"}
    ticker = by_ccxt.fetch_ticker("BTC/USDT")
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert by_ccxt.fetch_tickers(["BTC/USDT", "ETH/USDT"]).keys() == {"BTC/USDT", "ETH/USDT"}
    assert abs(by_ccxt.fetch_time() - by_ccxt.milliseconds()) < 5_000


def test_ccxt_knows_the_errors(by_ccxt: ccxt.binance) -> None:
    with pytest.raises(ccxt.BadSymbol):
        by_ccxt.publicGetKlines({"symbol": "NOSUCH", "interval": "1m"})
    with pytest.raises(ccxt.BadRequest):
        by_ccxt.publicGetKlines({"symbol": "BTCUSDT", "interval": "7m"})


@pytest.fixture
def addresses(exchange: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (Client, AsyncClient):
        monkeypatch.setattr(kind, "API_URL", f"{exchange}/api")
    monkeypatch.setattr(BinanceSocketManager, "STREAM_URL", exchange.replace("http", "ws", 1) + "/")


@pytest.mark.usefixtures("addresses")
def test_python_binance_reads_rest() -> None:
    client = Client()
    assert client.get_symbol_info("ETHUSDT")["baseAsset"] == "ETH"
    pages = client.get_historical_klines_generator("BTCUSDT", "1m", "1 Nov, 2024", "3 Nov, 2024")
    opens = [row[0] for row in itertools.islice(pages, 2_881)]
    assert len(opens) == 2_881
    assert {later - earlier for earlier, later in itertools.pairwise(opens)} == {60_000}
    trades = client.aggregate_trade_iter("BTCUSDT", start_str="15 minutes ago UTC")
    ids = [trade["a"] for trade in itertools.islice(trades, 500)]
    assert ids == list(range(ids[0], ids[0] + 500))
    assert float(client.get_symbol_ticker(symbol="BTCUSDT")["price"]) > 0
    client.close_connection()


@pytest.mark.usefixtures("addresses")
async def test_python_binance_reads_streams() -> None:
    client = await AsyncClient.create()
    sockets = BinanceSocketManager(client)
    try:
        async with sockets.trade_socket("BTCUSDT") as trades, asyncio.timeout(30):
            ids = [(await trades.recv())["t"] for _ in range(100)]
        assert ids == list(range(ids[0], ids[0] + 100))
        names = ["btcusdt@kline_1m", "ethusdt@miniTicker"]
        seen: dict[str, Any] = {}
        async with sockets.multiplex_socket(names) as both, asyncio.timeout(30):
            while len(seen) < 2:
                event = await both.recv()
                seen[event["stream"]] = event["data"]["s"]
        assert seen == {"btcusdt@kline_1m": "BTCUSDT", "ethusdt@miniTicker": "ETHUSDT"}
    finally:
        await client.close_connection()
