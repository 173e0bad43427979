"""The oracle sees what is lost, doubled, invented and changed: otherwise a campaign would prove nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from cryptobot.market import Interval, Kline
from cryptobot.market.instant import from_ms
from cryptobot.storage.collections import STREAMING_DATA
from tests.exchange_server import running_exchange
from tests.faults.oracle import Oracle, Verdict

Db = Database[dict[str, Any]]
SYMBOL = "BTCUSDT"


@pytest.fixture(scope="module")
def exchange_url() -> Iterator[str]:
    with running_exchange() as url:
        yield url


@pytest.fixture
def until_ms() -> int:
    return time.time_ns() // 1_000_000 - 1_000


@pytest.fixture
def stored(database: Db, exchange_url: str, until_ms: int) -> Db:
    """A database that holds what the exchange issued in ten seconds, as the sink stores it."""
    asked = {"symbol": SYMBOL, "startTime": until_ms - 10_000, "endTime": until_ms, "limit": 1_000}
    aggregates = httpx.get(f"{exchange_url}/api/v3/aggTrades", params=asked).json()
    whole = {"symbol": SYMBOL, "fromId": aggregates[0]["f"], "limit": 1_000}
    trades = httpx.get(f"{exchange_url}/api/v3/historicalTrades", params=whole).json()
    rows = httpx.get(f"{exchange_url}/api/v3/klines", params={**asked, "interval": "1s"}).json()
    received = {"received_at": datetime.now(UTC), "source": "stream"}
    first_ms = aggregates[0]["T"]
    klines = [Kline.from_rest(SYMBOL, Interval.SECOND_1, row) for row in rows]
    documents: list[dict[str, Any]] = [_trade(trade) for trade in trades if trade["time"] <= until_ms]
    documents += [
        {"_id": f"kline|{kline.key}", "kind": "kline", **asdict(kline), "interval": "1s"}
        for kline in [*klines, *_opening(exchange_url, first_ms, klines)]
        if kline.close_time <= from_ms(until_ms)
    ]
    database[STREAMING_DATA].insert_many([document | received for document in documents])
    return database


def test_what_is_stored_as_issued_is_sound(stored: Db, exchange_url: str, until_ms: int) -> None:
    verdict = judge(stored, exchange_url, until_ms)
    assert verdict.sound, str(verdict)
    assert verdict.trades > 200
    assert verdict.candles >= 9


def test_each_fault_is_found(stored: Db, exchange_url: str, until_ms: int) -> None:
    trades = list(stored[STREAMING_DATA].find({"kind": "trade"}).sort("trade_id"))
    kline = stored[STREAMING_DATA].find_one({"kind": "kline"}, sort=[("open_time", -1)])
    assert kline is not None
    stored[STREAMING_DATA].delete_one({"_id": trades[10]["_id"]})
    stored[STREAMING_DATA].insert_one(trades[20] | {"_id": "trade|again"})
    stored[STREAMING_DATA].update_one({"_id": trades[30]["_id"]}, {"$inc": {"price": 0.01}})
    stored[STREAMING_DATA].update_one({"_id": trades[100]["_id"]}, {"$inc": {"quantity": 1.0}})
    invented = {"_id": f"trade|{SYMBOL}|1{trades[40]['trade_id']}", "trade_id": 10 * trades[40]["trade_id"]}
    stored[STREAMING_DATA].insert_one(trades[40] | invented)
    stored[STREAMING_DATA].update_one({"_id": kline["_id"]}, {"$inc": {"trades": 1}})
    moved = {"_id": "kline|x", "open_time": kline["open_time"] - timedelta(hours=1)}
    stored[STREAMING_DATA].insert_one(kline | moved)
    verdict = judge(stored, exchange_url, until_ms)
    assert verdict.missing == [trades[10]["_id"]]
    assert "trade|again" in verdict.doubled
    assert {trades[30]["_id"], kline["_id"]} <= set(verdict.changed)
    assert any(name.startswith("quantity of") for name in verdict.changed)
    assert set(verdict.invented) == {f"trade|{SYMBOL}|{invented['trade_id']}", "kline|x"}


def judge(database: Db, exchange_url: str, until_ms: int) -> Verdict:
    return Oracle(exchange_url, database, (SYMBOL,)).judge(until_ms, ("1s",))


def _trade(trade: dict[str, Any]) -> dict[str, Any]:
    return {
        "_id": f"trade|{SYMBOL}|{trade['id']}",
        "kind": "trade",
        "symbol": SYMBOL,
        "trade_id": trade["id"],
        "price": float(trade["price"]),
        "quantity": float(trade["qty"]),
        "buyer_is_maker": trade["isBuyerMaker"],
        "event_time": from_ms(trade["time"]),
    }


def _opening(url: str, first_ms: int, known: list[Kline]) -> list[Kline]:
    """Return the candle that was open when the first trade came, where it is not known."""
    opened = first_ms - first_ms % 1_000
    if any(kline.open_ms == opened for kline in known):
        return []
    asked = {"symbol": SYMBOL, "interval": "1s", "startTime": opened, "limit": 1}
    rows = httpx.get(f"{url}/api/v3/klines", params=asked).json()
    return [Kline.from_rest(SYMBOL, Interval.SECOND_1, row) for row in rows]
