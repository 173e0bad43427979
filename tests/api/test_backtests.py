from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pymongo.database import Database

from cryptobot.storage import backtests

NOW = datetime(2026, 1, 10, tzinfo=UTC)


def store(database: Database[dict[str, Any]], symbol: str, days: int) -> str:
    version, at = f"{symbol}-{days}", NOW + timedelta(days=days)
    record = {
        "_id": version,
        "symbol": symbol,
        "interval": "15m",
        "algorithm": "mean",
        "fit": True,
        "reasons": ["passed: 132 trades, wanted 30"],
        "window": {"start": at - timedelta(days=365), "end": at},
        "metrics": {"log_loss": 1.05},
        "curves": {"open_time": [at], "strategy": [1.0], "buy_and_hold": [0.98]},
        "created_at": at,
    }
    backtests.save(database, record)
    return version


async def test_the_newest_come_first_by_symbol_and_version(
    client: httpx.AsyncClient, database: Database[dict[str, Any]]
) -> None:
    made = [store(database, symbol, days) for symbol in ("BTCUSDT", "ETHUSDT") for days in range(3)]

    async def versions(**query: Any) -> list[str]:
        answer = (await client.get("/v1/backtests", params=query)).json()
        return [item["version"] for item in answer["items"]]

    assert await versions(symbol="BTCUSDT") == ["BTCUSDT-2", "BTCUSDT-1", "BTCUSDT-0"]
    assert await versions(version="ETHUSDT-1") == ["ETHUSDT-1"]
    assert set(await versions()) == set(made)
    first = (await client.get("/v1/backtests", params={"symbol": "ETHUSDT", "limit": 2})).json()
    assert first["items"][0]["curves"]["buy_and_hold"] == [0.98]
    rest = await versions(symbol="ETHUSDT", cursor=first["next_cursor"])
    assert rest == ["ETHUSDT-0"]


async def test_whose_they_are_is_checked(client: httpx.AsyncClient, anyone: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/backtests", params={"symbol": "DOGEUSDT"})).status_code == 404
    assert (await anyone.get("/v1/backtests")).status_code == 401
