from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from pymongo.database import Database

from api.envelope import MAX_BODY_BYTES
from tests.api.candles import START
from tests.serving.models import promote_model

Db = Database[dict[str, Any]]


async def test_alive_whatever_is_missing_and_ready_when_nothing_is(
    anyone: httpx.AsyncClient, app: FastAPI, database: Db
) -> None:
    assert (await anyone.get("/livez")).status_code == 200
    waiting = await anyone.get("/readyz")
    assert waiting.status_code == 503
    assert "a model of BTCUSDT: none is served yet" in waiting.json()["missing"]
    versions = {symbol: promote_model(database, 0, symbol) for symbol in ("BTCUSDT", "ETHUSDT")}
    app.state.services.store.synchronize()
    ready = await anyone.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ready", "missing": [], "models": versions}


async def test_metrics_count_by_route_and_name_the_version(
    anyone: httpx.AsyncClient, client: httpx.AsyncClient, app: FastAPI, database: Db
) -> None:
    version = promote_model(database)
    app.state.services.store.synchronize()
    await client.get("/v1/symbols")
    await anyone.get("/nonsense/4711")
    text = (await anyone.get("/metrics")).text
    assert 'cryptobot_api_requests_total{method="GET",path="/v1/symbols",status="200"}' in text
    assert version in text
    assert "4711" not in text


async def test_every_error_is_a_problem_and_every_answer_has_its_headers(
    anyone: httpx.AsyncClient, client: httpx.AsyncClient, app: FastAPI
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"{}"

    async def fail() -> None:
        raise RuntimeError("secret detail")

    app.get("/fail")(fail)
    for response, status in (
        (await anyone.get("/nothing"), 404),
        (await anyone.put("/livez"), 405),
        (await anyone.get("/v1/symbols"), 401),
        (await client.get("/v1/candles"), 422),
        (await client.post("/v1/predictions", content=b"{"), 422),
        (await anyone.post("/v1/predictions", content=b" " * (MAX_BODY_BYTES + 1)), 413),
        (await anyone.post("/v1/predictions", content=parts()), 411),
        (await anyone.get("/fail"), 500),
    ):
        body = response.json()
        assert response.status_code == body["status"] == status
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["x-request-id"] == body["correlation_id"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "secret" not in response.text


async def test_a_plain_request_id_is_kept_and_another_replaced(anyone: httpx.AsyncClient) -> None:
    kept = await anyone.get("/livez", headers={"X-Request-Id": "order-4711-abc"})
    assert kept.headers["x-request-id"] == "order-4711-abc"
    replaced = await anyone.get("/livez", headers={"X-Request-Id": "a b;c\td<script>"})
    assert len(replaced.headers["x-request-id"]) == 32


async def test_the_documents_page_asks_nothing_of_other_hosts(anyone: httpx.AsyncClient) -> None:
    page = await anyone.get("/docs")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) == 3
    for address in named:
        assert address.startswith("/docs/assets/")
        assert (await anyone.get(address)).status_code == 200


async def test_document_names_every_path_and_its_errors(anyone: httpx.AsyncClient) -> None:
    document = (await anyone.get("/openapi.json")).json()
    assert {
        "/v1/auth/token", "/v1/auth/refresh", "/v1/auth/logout", "/v1/symbols", "/v1/candles", "/v1/ticker",
        "/v1/signals", "/v1/alerts", "/v1/models", "/v1/models/champion", "/v1/predictions", "/v1/quality",
        "/v1/pipeline", "/v1/drift", "/v1/backtests", "/livez", "/readyz", "/metrics",
    } <= set(document["paths"])  # fmt: skip
    errors = document["paths"]["/v1/candles"]["get"]["responses"]
    assert set(errors) >= {"200", "401", "403", "404", "422", "503"}
    assert set(errors["422"]["content"]) == {"application/problem+json"}
    assert "HTTPValidationError" not in document["components"]["schemas"]


class TestLists:
    async def test_signals_newest_first_with_filters(self, client: httpx.AsyncClient, database: Db) -> None:
        for index, signal in enumerate(("buy", "hold", "sell", "hold")):
            opened = START + timedelta(minutes=15 * index)
            database.signals.insert_one(
                {
                    "_id": f"s{index}", "symbol": "BTCUSDT", "interval": "15m", "open_time": opened,
                    "close_time": opened, "close": 1.0, "signal": signal, "confidence": 0.5,
                    "probabilities": {}, "model_version": "v1", "fit": False, "created_at": START,
                    "source": "batch",
                }
            )  # fmt: skip
        found = (await client.get("/v1/signals?symbol=BTCUSDT")).json()["items"]
        assert [item["id"] for item in found] == ["s3", "s2", "s1", "s0"]
        holds = (await client.get("/v1/signals?signal=hold&limit=1")).json()
        assert [item["id"] for item in holds["items"]] == ["s3"]
        rest = await client.get("/v1/signals", params={"signal": "hold", "cursor": holds["next_cursor"]})
        assert [item["id"] for item in rest.json()["items"]] == ["s1"]
        since = (await client.get("/v1/signals", params={"start": "2026-01-01T00:30:00Z"})).json()["items"]
        assert [item["id"] for item in since] == ["s3", "s2"]

    async def test_alerts(self, client: httpx.AsyncClient, database: Db) -> None:
        database.alerts.insert_one(
            {"_id": "a", "kind": "pipeline", "severity": "critical", "symbol": None, "title": "t"}
            | {"message": "m", "created_at": START, "acknowledged_at": None}
        )
        assert [i["id"] for i in (await client.get("/v1/alerts?kind=pipeline")).json()["items"]] == ["a"]
        assert (await client.get("/v1/alerts?severity=info")).json()["items"] == []

    async def test_pipeline_and_quality_answer_the_latest(
        self, client: httpx.AsyncClient, database: Db
    ) -> None:
        for hours in (2, 1, 3):
            at = START + timedelta(hours=hours)
            database.job_reports.insert_one({"_id": f"r{hours}", "job": "features", "finished_at": at})
            database.quality_results.insert_one(
                {"_id": f"q{hours}", "checkpoint": "history", "finished_at": at}
            )
        pipeline = (await client.get("/v1/pipeline")).json()
        assert [job["id"] for job in pipeline["assets"]] == ["r3"]
        assert pipeline["quality_url"].endswith("/quality/")
        quality = (await client.get("/v1/quality")).json()["items"]
        assert [result["id"] for result in quality] == ["q3"]
