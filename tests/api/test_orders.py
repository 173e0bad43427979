"""Orders to the registry through the API: a promotion, a roll-back, and who may give them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.serving.access import issue_token
from cryptobot.settings import Settings
from tests.serving.models import add_model, promote_model

Db = Database[dict[str, Any]]


@pytest.fixture
def version(database: Db) -> str:
    """A champion of BTCUSDT."""
    return promote_model(database)


async def test_a_promotion_and_a_roll_back_tell_who_and_why(
    client: httpx.AsyncClient, database: Db, version: str
) -> None:
    other = add_model(database, 1)
    promoted = await client.post("/v1/models/promote", json={"version": other, "reason": "a trial"})
    assert promoted.status_code == 200
    assert promoted.json() | {"promoted_at": ""} == {
        "symbol": "BTCUSDT", "version": other, "previous": version, "promoted_at": "",
        "reason": "promoted by hand (admin): a trial", "fit": False,
    }  # fmt: skip
    back = await client.post("/v1/models/roll-back", json={"symbol": "BTCUSDT", "reason": "no good"})
    assert back.json()["version"] == version
    answer = (await client.get("/v1/models/champion?symbol=BTCUSDT")).json()
    assert answer["reason"] == "rolled back by hand (admin): no good"
    assert [event["event"] for event in answer["history"]] == ["promoted", "superseded", "returned to"]


async def test_what_cannot_be_done_is_refused_with_the_reason(
    client: httpx.AsyncClient, database: Db, version: str
) -> None:
    back = await client.post("/v1/models/roll-back", json={"symbol": "BTCUSDT", "reason": "no good"})
    assert (back.status_code, back.json()["title"]) == (409, "Conflict")
    assert "no sound model of BTCUSDT" in back.json()["detail"]
    bad = add_model(database, 1)
    registry.quarantine(database, bad, "hash differs")
    for sent, status in (
        ({"version": bad, "reason": "x"}, 409),
        ({"version": "nonsense", "reason": "x"}, 404),
        ({"version": bad, "reason": " "}, 422),
        ({"version": bad}, 422),
    ):
        assert (await client.post("/v1/models/promote", json=sent)).status_code == status


async def test_only_the_champion_that_is_meant_is_rolled_back(
    client: httpx.AsyncClient, database: Db, version: str
) -> None:
    other = promote_model(database, 1)
    order = {"symbol": "BTCUSDT", "reason": "no good"}
    refused = await client.post("/v1/models/roll-back", json={**order, "version": version})
    assert refused.status_code == 409
    told = f"{version} is not the champion of BTCUSDT (it is {other}): not rolled back"
    assert refused.json()["detail"] == told
    assert registry.champion(database, "BTCUSDT")["version"] == other
    back = await client.post("/v1/models/roll-back", json={**order, "version": other})
    assert (back.status_code, back.json()["version"]) == (200, version)
    twice = await client.post("/v1/models/roll-back", json={**order, "version": other})
    assert twice.status_code == 409
    assert (await client.post("/v1/models/roll-back", json={**order, "version": ""})).status_code == 422


async def test_it_takes_a_scope_of_its_own(
    anyone: httpx.AsyncClient, api_settings: Settings, version: str
) -> None:
    token = issue_token(api_settings, "reader", {"read", "alerts:write"})
    refused = await anyone.post(
        "/v1/models/roll-back",
        json={"symbol": "BTCUSDT", "reason": "x"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert refused.status_code == 403
    assert "models:admin" in refused.json()["detail"]
