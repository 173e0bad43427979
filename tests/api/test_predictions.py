from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from pymongo.database import Database
from pymongo.errors import AutoReconnect

from api.models.predictions import PATIENCE_SECONDS
from cryptobot.features import FEATURE_SET
from tests.api.candles import candles, live
from tests.servers import wait_until
from tests.serving.bundles import forest, golden_rows
from tests.serving.models import promote_model

Db = Database[dict[str, Any]]

HANGS_S = 20
PLACE = ("BTCUSDT", "15m", "ETHUSDT")


@pytest.fixture
def version(app: FastAPI, database: Db) -> str:
    """A champion of BTCUSDT that the worker serves."""
    made = promote_model(database)
    app.state.services.store.synchronize()
    return made


Away = Callable[[Exception | None], threading.Event]


@pytest.fixture
def away(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Away:
    """Let each look for a newer candle fail, or hang until the returned event is set; and look each time."""
    predictions = app.state.services.predictions
    read = type(predictions)._read

    def begin(error: Exception | None) -> threading.Event:
        over = threading.Event()

        def look(*arguments: Any) -> Any:
            if error is not None:
                raise error
            over.wait(HANGS_S)
            return read(predictions, *arguments)

        monkeypatch.setattr(predictions, "_read", look)
        monkeypatch.setattr("api.models.predictions.FRESH_SECONDS", -1.0)
        return over

    return begin


def store_candles(database: Db, count: int = 130) -> list[dict[str, Any]]:
    documents = candles("BTCUSDT", count=count)
    database.historical_data.insert_many([*documents, *candles("ETHUSDT", count=count)])
    return documents


async def predict(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await client.post("/v1/predictions", json={"symbol": "BTCUSDT", **body})


class TestLastCandle:
    async def test_is_scored_by_the_champion(
        self, client: httpx.AsyncClient, database: Db, version: str
    ) -> None:
        documents = store_candles(database)
        answer = (await predict(client)).json()
        assert answer["model_version"] == version
        assert answer["open_time"] == documents[-1]["open_time"].isoformat().replace("+00:00", "Z")
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
        assert answer["confidence"] == answer["probabilities"][answer["signal"]]
        assert (answer["interval"], answer["fit"]) == ("15m", False)

    async def test_follows_live_candles(
        self, client: httpx.AsyncClient, app: FastAPI, database: Db, version: str
    ) -> None:
        store_candles(database)
        before = (await predict(client)).json()
        later = [*candles("BTCUSDT", count=131)[130:], *candles("ETHUSDT", count=131)[130:]]
        database.streaming_data.insert_many(live(later))
        app.state.services.predictions._known[PLACE].checked_at = 0.0
        after = (await predict(client)).json()
        assert after["open_time"] > before["open_time"]
        assert after["probabilities"] != before["probabilities"]

    async def test_is_the_one_before_while_the_other_pairs_candle_is_on_its_way(
        self, client: httpx.AsyncClient, database: Db, version: str
    ) -> None:
        documents = store_candles(database)
        database.historical_data.insert_many(candles("BTCUSDT", count=131)[130:])
        answer = (await predict(client)).json()
        assert answer["open_time"] == documents[-1]["open_time"].isoformat().replace("+00:00", "Z")

    async def test_profile_moves_the_thresholds_not_the_probabilities(
        self, client: httpx.AsyncClient, database: Db, version: str
    ) -> None:
        store_candles(database)
        careful = (await predict(client, profile="conservative")).json()
        bold = (await predict(client, profile="aggressive")).json()
        assert careful["probabilities"] == bold["probabilities"]

    async def test_says_what_is_missing(self, client: httpx.AsyncClient, database: Db, app: FastAPI) -> None:
        no_model = await predict(client)
        assert no_model.status_code == 503
        assert "no model of BTCUSDT" in no_model.json()["detail"]
        promote_model(database)
        app.state.services.store.synchronize()
        assert "no 15m candle of BTCUSDT" in (await predict(client)).json()["detail"]
        store_candles(database, count=50)
        assert "is missing" in (await predict(client)).json()["detail"]


class TestWhileMongoDbIsAway:
    """What is known goes on being answered, at once, and not for longer than a candle lasts."""

    async def test_the_known_candle_is_scored(
        self, client: httpx.AsyncClient, app: FastAPI, database: Db, version: str, away: Away
    ) -> None:
        store_candles(database)
        before = (await predict(client)).json()
        away(AutoReconnect("away"))
        answer = await predict(client)
        assert (answer.status_code, answer.json()) == (200, before)

    async def test_a_candle_that_nobody_has_asked_for_is_known(
        self, client: httpx.AsyncClient, app: FastAPI, database: Db, version: str, away: Away
    ) -> None:
        store_candles(database)
        services = app.state.services
        following = asyncio.create_task(services.predictions.follow(["ETHUSDT", "BTCUSDT"]))
        known = services.predictions._known
        await asyncio.to_thread(wait_until, lambda: PLACE in known, limit=10, what="a look")
        following.cancel()
        away(AutoReconnect("away"))
        assert (await predict(client)).json()["model_version"] == version

    async def test_a_look_that_hangs_is_waited_for_once(
        self, client: httpx.AsyncClient, database: Db, version: str, away: Away
    ) -> None:
        store_candles(database)
        await predict(client)
        hanging = away(None)
        took = []
        for _ in range(3):
            began = time.monotonic()
            assert (await predict(client)).status_code == 200
            took.append(time.monotonic() - began)
        hanging.set()
        assert took[0] >= PATIENCE_SECONDS
        assert max(took[1:]) < HANGS_S / 2, "the others did not wait for the look"

    async def test_a_new_champion_scores_the_known_candle(
        self, client: httpx.AsyncClient, app: FastAPI, database: Db, version: str, away: Away
    ) -> None:
        store_candles(database)
        before = (await predict(client)).json()
        newer = promote_model(database, 1)
        app.state.services.store.synchronize()
        away(AutoReconnect("away"))
        after = (await predict(client)).json()
        assert after["model_version"] == newer
        assert after["open_time"] == before["open_time"]

    async def test_without_any_or_after_a_whole_interval_it_is_told(
        self, client: httpx.AsyncClient, app: FastAPI, database: Db, version: str, away: Away
    ) -> None:
        away(AutoReconnect("away"))
        assert (await predict(client)).status_code == 503
        away(None).set()
        store_candles(database)
        assert (await predict(client)).status_code == 200
        away(AutoReconnect("away"))
        app.state.services.predictions._known[PLACE].checked_at -= 15 * 60
        answer = await predict(client)
        assert answer.status_code == 503
        assert "no database answers" in answer.json()["detail"]


class TestRows:
    async def test_are_scored_as_the_forest_does(self, client: httpx.AsyncClient, version: str) -> None:
        rows = np.array([row.features for row in golden_rows()], dtype=np.float32)
        named = [dict(zip(FEATURE_SET.names, map(float, row), strict=True)) for row in rows]
        answer = (await predict(client, rows=named)).json()
        assert answer["model_version"] == version
        found = [
            [item["probabilities"][name] for name in ("sell", "hold", "buy")] for item in answer["items"]
        ]
        np.testing.assert_allclose(found, forest().predict_proba(rows), atol=1e-5)

    async def test_wrong_ones_are_refused_by_name(self, client: httpx.AsyncClient, version: str) -> None:
        good = dict.fromkeys(FEATURE_SET.names, 0.5)
        for rows, word in (
            ([], "rows"),
            ([{"return_1": 1.0}], "aroon_24"),
            ([{**good, "made_up": 1.0}], "made_up"),
            ([good, {**good, "return_1": None}], "return_1"),
            ([{**good, "return_1": 1e300}], "float32"),
            ([good] * 1001, "rows"),
        ):
            response = await predict(client, rows=rows)
            assert response.status_code == 422, rows[:2]
            assert word in response.json()["detail"]

    @pytest.mark.parametrize(
        "body", [b'{"symbol": "BTCUSDT"', b'{"symbol": "BTCUSDT", "rows": [{"a": NaN}]}']
    )
    async def test_what_is_no_json_is_refused(self, client: httpx.AsyncClient, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await client.post("/v1/predictions", content=body, headers=headers)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert "JSON" in answer.json()["detail"]

    async def test_other_symbols_are_refused(self, client: httpx.AsyncClient) -> None:
        assert (await predict(client, symbol="DOGEUSDT")).status_code == 404


class TestModels:
    async def test_champion(self, client: httpx.AsyncClient, version: str) -> None:
        answer = (await client.get("/v1/models/champion?symbol=BTCUSDT")).json()
        assert answer["version"] == version
        assert answer["feature_set"] == "v1"
        assert set(answer["window"]) == {"start", "end"}
        assert (await client.get("/v1/models/champion?symbol=ETHUSDT")).status_code == 404

    async def test_list_pages_through_all_once(
        self, client: httpx.AsyncClient, database: Db, version: str
    ) -> None:
        others = [promote_model(database, seed) for seed in (1, 2)]
        seen, cursor = [], None
        while cursor is not None or not seen:
            query = {"limit": 1, **({"cursor": cursor} if cursor else {})}
            page = (await client.get("/v1/models", params=query)).json()
            seen += [item["version"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert seen == [*reversed(others), version]
        assert not page["items"][0].keys() & {"golden_rows", "reference", "_id"}
        assert [event["event"] for event in page["items"][0]["history"]] == ["promoted", "superseded"]
        champions = (await client.get("/v1/models?state=champion")).json()["items"]
        assert [item["version"] for item in champions] == [others[-1]]
