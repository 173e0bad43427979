"""Faults on demand."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

Pair = tuple[httpx.Client, httpx.Client]


def stream_url(client: httpx.Client, streams: str) -> str:
    return str(client.base_url).replace("http", "ws", 1).rstrip("/") + f"/ws/{streams}"


@pytest.mark.parametrize(("status", "code"), [(429, -1003), (418, -1003), (503, -1000)])
def test_rest_refuses_as_asked_and_then_recovers(faulty: Pair, status: int, code: int) -> None:
    client, admin = faulty
    assert admin.post("/faults", json={"status": status}).json()["status"] == status
    answer = client.get("/api/v3/time")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ("Retry-After" in answer.headers) is (status < 500)
    admin.delete("/faults")
    assert client.get("/api/v3/time").status_code == 200


def test_rest_is_slow_cut_and_leaves_candles_out(faulty: Pair) -> None:
    client, admin = faulty
    admin.post("/faults", json={"latency_ms": 300})
    began = time.monotonic()
    client.get("/api/v3/ping")
    assert time.monotonic() - began >= 0.3
    admin.post("/faults", json={"latency_ms": 0, "drop_share": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/api/v3/ping")
    admin.post("/faults", json={"drop_share": 0, "missing_candles": 0.2})
    query = {
        "symbol": "BTCUSDT",
        "interval": "1m",
        "startTime": 1_700_000_000_000,
        "endTime": 1_700_030_000_000,
    }
    rows = client.get("/api/v3/klines", params=query).json()
    assert 300 < len(rows) < 500
    assert client.get("/api/v3/klines", params=query).json() == rows


def test_a_fault_that_does_not_exist_is_refused(faulty: Pair) -> None:
    _, admin = faulty
    assert admin.post("/faults", json={"no_such": 1}).status_code == 400
    assert admin.post("/faults", content=b"no json").status_code == 400


async def test_streams_are_dropped_repeated_shuffled_and_broken(faulty: Pair) -> None:
    client, admin = faulty
    admin.post("/faults", json={"repeated_candles": 1})
    async with connect(stream_url(client, "btcusdt@kline_1m")) as socket:
        closed: Counter[int] = Counter()
        async with asyncio.timeout(30):
            while closed.total() < 6:
                event = json.loads(await socket.recv())
                closed[event["k"]["t"]] += event["k"]["x"]
    assert set((+closed).values()) == {2}
    admin.post("/faults", json={"out_of_order": True, "broken_share": 1})
    async with connect(stream_url(client, "btcusdt@trade")) as socket:
        ids, broken = await _ids(socket, 400)
        assert ids != sorted(ids)
        assert broken
        assert admin.post("/drop").json()["dropped"] >= 1
        with pytest.raises(ConnectionClosed):
            await _ids(socket, 10**9)


async def _ids(socket: Any, count: int) -> tuple[list[int], int]:
    ids: list[int] = []
    broken = 0
    async with asyncio.timeout(30):
        while len(ids) < count:
            try:
                ids.append(json.loads(await socket.recv())["t"])
            except json.JSONDecodeError:
                broken += 1
    return ids, broken
