"""Trades by REST: every id once, as the exchange's own list of trades has them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptobot.exchange.errors import TradesUnavailableError
from cryptobot.exchange.rest import PAGE, RestClient
from cryptobot.exchange.trade_repair import SEARCHED_HOURS, TradeEvent, split, trades_between
from cryptobot.market.instant import from_ms
from tests.cryptobot_exchange.test_agg_trades import FIRST_ID, HOUR, Exchange
from tests.exchange_server import running_exchange

BTC = "BTCUSDT"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_exchange(EXCHANGE_TRADES_PER_SECOND="60") as url:
        yield url


def listed(url: str, first_id: int, count: int) -> list[dict[str, Any]]:
    """Return ``count`` trades from ``first_id`` on as the exchange lists each."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        query = {"symbol": BTC, "limit": 1000, "fromId": first_id + len(found)}
        page = httpx.get(f"{url}/api/v3/historicalTrades", params=query).raise_for_status().json()
        assert page
        found += page
    return found[:count]


def some_minutes_ago(url: str, minutes: float) -> int:
    """Return the id of a trade of so long ago."""
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    query = {"symbol": BTC, "limit": 1, "startTime": int(at.timestamp() * 1_000)}
    found: int = httpx.get(f"{url}/api/v3/aggTrades", params=query).raise_for_status().json()[0]["f"]
    return found


def between(url: str, first_id: int, last_id: int, since: datetime) -> list[TradeEvent]:
    with RestClient(url) as exchange:
        return [event for page in trades_between(exchange, BTC, first_id, last_id, since) for event in page]


class TestAgainstTheExchange:
    @pytest.mark.parametrize("count", [1, 2, 7, 1_500, 12_000])
    def test_every_trade_is_as_the_exchange_lists_it(self, url: str, count: int) -> None:
        first_id = some_minutes_ago(url, 8)
        expected = listed(url, first_id - 1, count + 1)
        found = between(url, first_id, first_id + count - 1, from_ms(expected[0]["time"]))
        assert [event["t"] for event in found] == list(range(first_id, first_id + count))
        for event, trade in zip(found, expected[1:], strict=True):
            assert (event["p"], event["T"], event["m"]) == (
                trade["price"], trade["time"], trade["isBuyerMaker"],
            )  # fmt: skip
        assert found[0].keys() == {"e", "E", "s", "t", "p", "q", "T", "m", "M"}

    def test_a_hole_within_an_aggregate_takes_its_part_of_it(self, url: str) -> None:
        query = {
            "symbol": BTC,
            "limit": 1000,
            "startTime": int((datetime.now(UTC).timestamp() - 300) * 1_000),
        }
        rows = httpx.get(f"{url}/api/v3/aggTrades", params=query).json()
        row = next(row for row in rows if row["l"] > row["f"])
        (event,) = between(url, row["l"], row["l"], from_ms(row["T"]))
        assert event == split(BTC, row)[-1]

    def test_what_has_not_happened_yet_is_absent(self, url: str) -> None:
        newest = httpx.get(f"{url}/api/v3/trades", params={"symbol": BTC, "limit": 1}).json()[0]
        found = between(url, newest["id"], newest["id"] + 10**6, from_ms(newest["time"]))
        assert 0 < len(found) < 10_000
        assert found[0]["t"] == newest["id"]


class TestPages:
    def ids(self, exchange: Exchange, first_id: int, last_id: int, since: datetime = HOUR) -> list[int]:
        transport = httpx.MockTransport(exchange.answer)
        with RestClient("http://exchange", transport=transport, sleep=lambda _: None) as client:
            pages = trades_between(client, BTC, first_id, last_id, since)
            return [event["t"] for page in pages for event in page]

    @pytest.mark.parametrize("rows", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 1])
    def test_a_page_may_end_anywhere(self, rows: int) -> None:
        first, last = 2 * FIRST_ID, 2 * (FIRST_ID + rows - 1) + 1
        assert self.ids(Exchange(5 * PAGE), first, last) == list(range(first, last + 1))

    def test_asks_for_no_page_after_the_last_id(self) -> None:
        exchange = Exchange(5 * PAGE)
        self.ids(exchange, 2 * FIRST_ID, 2 * FIRST_ID + 10)
        assert len(exchange.requests) == 1

    def test_says_what_could_not_be_had(self) -> None:
        transport = httpx.MockTransport(lambda request: httpx.Response(500))
        with (
            RestClient("http://exchange", transport=transport, sleep=lambda _: None) as client,
            pytest.raises(TradesUnavailableError, match="BTCUSDT from id 7 to id 9"),
        ):
            list(trades_between(client, BTC, 7, 9, HOUR))

    @pytest.mark.parametrize(("hours", "found"), [(1, 5), (SEARCHED_HOURS - 1, 5), (SEARCHED_HOURS + 2, 0)])
    def test_looks_over_hours_without_a_trade(self, hours: int, found: int) -> None:
        exchange = Exchange(5)
        first = 2 * FIRST_ID

        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("time"):
                return httpx.Response(200, json={"serverTime": int(HOUR.timestamp() * 1_000) + 86_400_000})
            return exchange.answer(request)

        transport = httpx.MockTransport(answer)
        with RestClient("http://exchange", transport=transport, sleep=lambda _: None) as client:
            since = HOUR - timedelta(hours=hours)
            pages = list(trades_between(client, BTC, first, first + 4, since))
        assert sum(len(page) for page in pages) == found


class TestSplit:
    @given(first=st.integers(0, 10**12), count=st.integers(1, 50), units=st.integers(1, 10**15))
    def test_the_parts_are_the_whole(self, first: int, count: int, units: int) -> None:
        quantity = f"{units // 10**8}.{units % 10**8:08d}"
        row = {"a": 1, "p": "9.5", "q": quantity, "f": first, "l": first + count - 1, "T": 7, "m": False}
        events = split(BTC, row)
        shares = [Decimal(event["q"]) for event in events]
        assert [event["t"] for event in events] == list(range(first, first + count))
        assert sum(shares) == Decimal(quantity)
        assert len(set(shares[:-1])) <= 1
        assert 0 <= shares[-1] - shares[0] < count * Decimal("1e-8")
        assert {(event["p"], event["T"], event["m"]) for event in events} == {("9.5", 7, False)}

    def test_a_quantity_without_decimals_is_split_in_whole_numbers(self) -> None:
        row = {"a": 1, "p": "9.5", "q": "7", "f": 1, "l": 3, "T": 7, "m": False}
        assert [event["q"] for event in split(BTC, row)] == ["2", "2", "3"]
