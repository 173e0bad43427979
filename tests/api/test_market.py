from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from tests.api.candles import START, candles, live

Db = Database[dict[str, Any]]


async def closes(client: httpx.AsyncClient, **query: Any) -> list[float]:
    """Return the closes of all pages, following the cursor."""
    found: list[float] = []
    pages: list[list[float]] = []
    cursor: str | None = None
    while True:
        response = await client.get("/v1/candles", params={**query, **({"cursor": cursor} if cursor else {})})
        assert response.status_code == 200, response.text
        body = response.json()
        pages.append([item["close"] for item in body["items"]])
        cursor = body["next_cursor"]
        if cursor is None:
            break
    for page in pages if "start" in query else reversed(pages):
        found += page
    return found


class TestCandles:
    async def test_recorded_and_live_are_one_list_without_repeats(
        self, client: httpx.AsyncClient, database: Db
    ) -> None:
        documents = candles("BTCUSDT", count=20)
        database.historical_data.insert_many(documents[:15])
        database.streaming_data.insert_many(live(documents[10:]))
        expected = [d["close"] for d in documents]
        for limit in (1, 4, 7, 1000):
            query = {"symbol": "BTCUSDT", "interval": "15m", "limit": limit}
            assert await closes(client, **query) == expected
            assert await closes(client, **query, start=START.isoformat()) == expected

    async def test_without_start_the_newest_come_first(self, client: httpx.AsyncClient, database: Db) -> None:
        documents = candles("BTCUSDT", count=20)
        database.historical_data.insert_many(documents)
        response = await client.get("/v1/candles?symbol=BTCUSDT&interval=15m&limit=3")
        items = response.json()["items"]
        assert [item["close"] for item in items] == [d["close"] for d in documents[-3:]]
        assert items[0]["open_time"] == "2026-01-01T04:15:00Z"
        assert set(items[0]) == {
            "symbol", "interval", "open_time", "close_time", "open", "high", "low", "close", "volume",
            "quote_volume", "trades", "taker_buy_base", "taker_buy_quote",
        }  # fmt: skip

    async def test_range_is_half_open_on_the_open_time(self, client: httpx.AsyncClient, database: Db) -> None:
        documents = candles("BTCUSDT", count=20)
        database.historical_data.insert_many(documents)
        query = {"symbol": "BTCUSDT", "interval": "15m", "limit": 2}
        start, end = documents[5]["open_time"].isoformat(), documents[9]["open_time"].isoformat()
        expected = [d["close"] for d in documents[5:9]]
        assert await closes(client, **query, start=start, end=end) == expected
        assert await closes(client, **query, end=end) == [d["close"] for d in documents[:9]]

    async def test_pages_stay_correct_while_candles_arrive(
        self, client: httpx.AsyncClient, database: Db
    ) -> None:
        documents = candles("BTCUSDT", count=10)
        database.historical_data.insert_many(documents[:8])
        first = (await client.get("/v1/candles?symbol=BTCUSDT&interval=15m&limit=4")).json()
        database.streaming_data.insert_many(live(documents[8:]))
        second = (
            await client.get(
                "/v1/candles",
                params={"symbol": "BTCUSDT", "interval": "15m", "limit": 4, "cursor": first["next_cursor"]},
            )
        ).json()
        both = [item["close"] for item in second["items"] + first["items"]]
        assert both == [d["close"] for d in documents[:8]]

    async def test_what_is_wrong_is_named(self, client: httpx.AsyncClient) -> None:
        for query, status, word in (
            ("symbol=DOGEUSDT&interval=15m", 404, "DOGEUSDT"),
            ("symbol=BTCUSDT&interval=15minutes", 422, "interval"),
            ("symbol=BTCUSDT&interval=15m&limit=0", 422, "limit"),
            ("symbol=BTCUSDT&interval=15m&limit=1001", 422, "limit"),
            ("symbol=BTCUSDT&interval=15m&start=yesterday", 422, "start"),
            ("symbol=BTCUSDT&interval=15m&start=2026-01-01T00:00:00", 422, "start"),
            ("symbol=BTCUSDT&interval=15m&start=0001-01-01T00:00:00Z", 422, "start"),
            ("symbol=BTCUSDT&interval=15m&start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z", 422, "end"),
            ("symbol=BTCUSDT&interval=15m&cursor=garbage", 422, "cursor"),
            ("interval=15m", 422, "symbol"),
        ):
            response = await client.get(f"/v1/candles?{query}")
            assert response.status_code == status, query
            assert response.headers["content-type"] == "application/problem+json"
            assert word in response.json()["detail"]


class TestTicker:
    async def test_last_price_and_change(self, client: httpx.AsyncClient, database: Db) -> None:
        database.streaming_data.insert_one(
            {
                "_id": "ticker|BTCUSDT", "kind": "ticker", "symbol": "BTCUSDT", "event_time": START,
                "close": 110.0, "open": 100.0, "high": 120.0, "low": 90.0, "volume": 5.0,
                "quote_volume": 500.0, "received_at": START,
            }
        )  # fmt: skip
        items = (await client.get("/v1/ticker")).json()["items"]
        assert len(items) == 1
        assert items[0]["price"] == 110
        assert items[0]["change_24h_pct"] == pytest.approx(10)
        assert (await client.get("/v1/ticker?symbol=ETHUSDT")).json()["items"] == []


class TestSymbols:
    async def test_configuration_with_what_the_exchange_says(
        self, client: httpx.AsyncClient, database: Db
    ) -> None:
        database.exchange_info.insert_one(
            {
                "_id": "BTCUSDT",
                "status": "TRADING",
                "base_asset": "BTC",
                "quote_asset": "USDT",
                "filters": {},
                "fetched_at": datetime.now(UTC),
            }
        )
        items = (await client.get("/v1/symbols")).json()["items"]
        assert [item["symbol"] for item in items] == ["BTCUSDT", "ETHUSDT"]
        assert items[0]["base_asset"] == "BTC"
        assert items[1]["status"] is None
        assert items[1]["signal_interval"] == "15m"
