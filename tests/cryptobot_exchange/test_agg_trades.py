"""Aggregate trades: first by time, then by id, until the end, and nothing lost on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from cryptobot.exchange.agg_trades import SCHEMA, agg_trades, to_batch
from cryptobot.exchange.errors import TradesUnavailableError
from cryptobot.exchange.rest import PAGE, RestClient
from cryptobot.market.instant import to_ms
from tests.exchange_server import running_exchange

HOUR = datetime(2026, 1, 1, 5, tzinfo=UTC)
FIRST_ID = 1_000_000


def trade(agg_id: int, time_ms: int) -> dict[str, Any]:
    return {
        "a": agg_id, "p": "93000.10", "q": "0.00100", "f": 2 * agg_id, "l": 2 * agg_id + 1, "T": time_ms,
        "m": True, "M": True,
    }  # fmt: skip


class Exchange:
    """Serves ``count`` trades from ``HOUR`` on, ``per_second`` a second."""

    def __init__(self, count: int, per_second: int = 1) -> None:
        self.trades = [trade(FIRST_ID + i, to_ms(HOUR) + i * 1_000 // per_second) for i in range(count)]
        self.requests: list[dict[str, str]] = []
        self.short_once: set[int] = set()
        self.spoil: dict[int, list[Any]] = {}

    def answer(self, request: httpx.Request) -> httpx.Response:
        asked = dict(request.url.params)
        self.requests.append(asked)
        if "fromId" in asked:
            first = int(asked["fromId"])
            rows = [row for row in self.trades if row["a"] >= first]
            if first in self.spoil:
                return httpx.Response(200, content=orjson.dumps(self.spoil.pop(first)))
        else:
            start, end = int(asked["startTime"]), int(asked["endTime"])
            rows = [row for row in self.trades if start <= row["T"] <= end]
        return httpx.Response(200, content=orjson.dumps(rows[: int(asked["limit"])]))

    def ids(self, hours: float = 1) -> list[int]:
        transport = httpx.MockTransport(self.answer)
        with RestClient("http://exchange", transport=transport, sleep=lambda _: None) as client:
            pages = agg_trades(client, "BTCUSDT", HOUR, HOUR + timedelta(hours=hours))
            return [row["a"] for page in pages for row in page]


class TestPages:
    @pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE + 7, 6 * PAGE])
    def test_all_trades_arrive_once_and_in_order(self, count: int) -> None:
        assert Exchange(count, per_second=100).ids() == list(range(FIRST_ID, FIRST_ID + count))

    def test_the_first_page_is_asked_for_by_time_the_others_by_id(self) -> None:
        exchange = Exchange(2 * PAGE, per_second=1)
        exchange.ids()
        by_time = [asked for asked in exchange.requests if "startTime" in asked]
        assert [set(asked) for asked in by_time] == [{"symbol", "limit", "startTime", "endTime"}]
        assert all(set(asked) == {"symbol", "limit", "fromId"} for asked in exchange.requests[1:])

    def test_trades_after_the_end_stay_out(self) -> None:
        assert len(Exchange(10_000).ids()) == 3_600

    def test_more_than_an_hour_at_once_is_refused(self) -> None:
        with pytest.raises(ValueError, match="by the hour"):
            Exchange(1).ids(hours=1.1)


class TestTrouble:
    def test_a_hole_in_a_page_is_asked_for_again(self) -> None:
        exchange = Exchange(2_500, per_second=100)
        second = FIRST_ID + PAGE
        exchange.spoil = {second: [row for row in exchange.trades[PAGE : 2 * PAGE] if row["a"] != second + 5]}
        assert exchange.ids() == list(range(FIRST_ID, FIRST_ID + 2_500))

    def test_a_page_cut_short_is_an_error_that_names_symbol_and_range(self) -> None:
        exchange = Exchange(3_500, per_second=100)
        exchange.spoil = {FIRST_ID + PAGE: exchange.trades[PAGE : PAGE + 10]}
        with pytest.raises(TradesUnavailableError, match=r"BTCUSDT from 2026-01-01T05.*cut short"):
            exchange.ids()


def test_columns_hold_what_the_wire_says() -> None:
    batch = to_batch("BTCUSDT", [trade(7, to_ms(HOUR))])
    assert batch.schema.equals(SCHEMA)
    assert batch.to_pylist() == [
        {
            "symbol": "BTCUSDT", "agg_id": 7, "price": 93000.10, "quantity": 0.001, "first_trade_id": 14,
            "last_trade_id": 15, "time": HOUR, "buyer_is_maker": True,
        }
    ]  # fmt: skip


def test_hours_of_the_offline_exchange_follow_each_other_without_a_hole() -> None:
    start = datetime(2025, 3, 1, tzinfo=UTC)
    with running_exchange(EXCHANGE_TRADES_PER_SECOND="5") as url, RestClient(url) as client:
        hours = [
            [row for page in agg_trades(client, "ETHUSDT", at, at + timedelta(hours=1)) for row in page]
            for at in (start, start + timedelta(hours=1))
        ]
    ids = [row["a"] for hour in hours for row in hour]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(ids) > 2 * PAGE
    assert all(to_ms(start) <= row["T"] < to_ms(start) + 3_600_000 for row in hours[0])
