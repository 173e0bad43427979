from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from cryptobot.serving.drift import measure_champions
from tests.serving.drifting import store_features, store_signals, train

Db = Database[dict[str, Any]]


@pytest.fixture
async def version(database: Db) -> str:
    """A champion whose market has moved away, measured."""

    def measured() -> str:
        made = train(database)
        store_features(database, shift=1.5)
        store_signals(database, made, "buy", {"sell": 0.2, "hold": 0.2, "buy": 0.6})
        measure_champions(database, ["BTCUSDT"])
        return made

    return await asyncio.to_thread(measured)


async def test_the_champions_days_are_answered_in_rising_order(
    client: httpx.AsyncClient, version: str
) -> None:
    response = await client.get("/v1/drift", params={"symbol": "BTCUSDT", "limit": 3})
    answer = response.json()
    assert (answer["symbol"], answer["version"]) == ("BTCUSDT", version)
    assert [day["day"][:10] for day in answer["items"]] == ["2026-01-23", "2026-01-24", "2026-01-25"]
    last = answer["items"][-1]
    assert last["drifted"]
    assert last["features"][0]["index"] > last["features"][0]["limit"]
    assert last["end"].startswith("2026-01-26T00:00:00")
    assert last["predictions"]["rows"] == last["rows"]
    assert last["hits"]["buy"]["signals"] > 0
    everything = (await client.get("/v1/drift", params={"symbol": "BTCUSDT"})).json()["items"]
    assert len(everything) == 25


async def test_an_answer_is_what_the_document_says(client: httpx.AsyncClient, version: str) -> None:
    from api.drift.schemas import Drift

    answer = (await client.get("/v1/drift", params={"symbol": "BTCUSDT", "version": version})).json()
    known = Drift.model_validate(answer).model_dump(mode="json")
    assert known["items"][0].keys() == answer["items"][0].keys()


async def test_what_is_not_there_is_said(
    client: httpx.AsyncClient, anyone: httpx.AsyncClient, version: str
) -> None:
    none = await client.get("/v1/drift", params={"symbol": "BTCUSDT", "version": "another"})
    assert none.json()["items"] == []
    unserved = await client.get("/v1/drift", params={"symbol": "ETHUSDT"})
    assert unserved.status_code == 404
    assert "no champion yet" in unserved.json()["detail"]
    assert (await client.get("/v1/drift", params={"symbol": "DOGEUSDT"})).status_code == 404
    assert (await anyone.get("/v1/drift", params={"symbol": "BTCUSDT"})).status_code == 401
