"""The REST endpoints, as the real exchange answers them."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from infra.exchange.errors import ApiError
from infra.exchange.limits import Weights
from tests.exchange_server import running_exchange

UNKNOWN_TO_RECORDINGS = {"closeTime", "amendAllowed", "pegInstructionsAllowed", "otoAllowed"}


def shape(value: Any) -> Any:
    """What a JSON value is made of; numbers in texts are told by their eight places."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items() if key not in UNKNOWN_TO_RECORDINGS}
    if isinstance(value, list):
        return (
            [shape(value[0])] if value and not isinstance(value[0], int) else [shape(item) for item in value]
        )
    if isinstance(value, str):
        return "decimal" if value.replace(".", "").replace("-", "").isdigit() else "text"
    return type(value).__name__


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("klines", "interval=5m&limit=24&symbol=BTCUSDT"),
        ("trades", "limit=15&symbol=BTCUSDT"),
        ("historicalTrades", "limit=5&symbol=BTCUSDT"),
        ("aggTrades", "limit=1000&symbol=BTCUSDT"),
        ("avgPrice", "symbol=BTCUSDT"),
        ("ticker/price", "symbol=BTCUSDT"),
        ("ticker/24hr", "symbol=ETHUSDT"),
        ("ticker/bookTicker", "symbol=BTCUSDT"),
    ],
)
def test_an_answer_has_every_field_of_the_recorded_one(
    rest: httpx.Client, recordings: dict[str, list[dict[str, Any]]], path: str, query: str
) -> None:
    answer = rest.get(f"/api/v3/{path}?{query}").json()
    recorded = recordings[f"/api/v3/{path}"][0]["body"]
    if isinstance(recorded, list):
        answer, recorded = answer[0], recorded[0]
    assert shape(answer) == shape(recorded)


def test_exchange_info_has_every_field_of_the_recorded_one(
    rest: httpx.Client, recordings: dict[str, list[dict[str, Any]]]
) -> None:
    answer = rest.get("/api/v3/exchangeInfo").json()
    recorded = recordings["/api/v3/exchangeInfo"][0]["body"]
    assert recorded.keys() - answer.keys() <= {"sors"}
    assert sorted(map(str, answer["rateLimits"][1:])) == sorted(
        str({key: limit[key] for key in ("rateLimitType", "interval", "intervalNum", "limit")})
        for limit in recorded["rateLimits"][1:]
    )
    mine = {one["symbol"]: one for one in answer["symbols"]}["BTCUSDT"]
    theirs = recorded["symbols"][0]
    assert theirs.keys() <= mine.keys()
    kinds = {one["filterType"]: one.keys() for one in theirs["filters"]}
    assert {one["filterType"]: one.keys() for one in mine["filters"] if one["filterType"] in kinds} == kinds


def test_every_recorded_error_free_query_of_klines_is_answered(
    rest: httpx.Client, recordings: dict[str, list[dict[str, Any]]]
) -> None:
    for recorded in recordings["/api/v3/klines"]:
        query = httpx.QueryParams(recorded["query"]).set("symbol", "BTCUSDT")
        answer = rest.get("/api/v3/klines", params=query)
        assert answer.status_code == 200, recorded["query"]
        assert all(len(row) == 12 for row in answer.json())


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (
            "klines?interval=1m",
            -1102,
            "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
        ),
        ("klines?symbol=BTCUSDT", -1102, "Mandatory parameter 'interval' was not sent"),
        ("klines?symbol=NOSUCH&interval=1m", -1121, "Invalid symbol."),
        ("klines?symbol=btcusdt&interval=1m", -1100, "Illegal characters found in parameter 'symbol'"),
        ("klines?symbol=BTCUSDT&interval=1D", -1120, "Invalid interval."),
        ("klines?symbol=BTCUSDT&interval=1m&limit=x", -1100, "Illegal characters found in parameter 'limit'"),
        ("klines?symbol=BTCUSDT&interval=1m&limit=0", -1130, "Data sent for parameter 'limit' is not valid."),
        ("klines?symbol=BTCUSDT&interval=1m&timeZone=15", -1130, "'timeZone'"),
        (
            "klines?symbol=BTCUSDT&interval=1m&page=2",
            -1101,
            "Too many parameters; expected '6' and received '3'.",
        ),
        ("ping?x=1", -1101, "Too many parameters; expected '0' and received '1'."),
        ("trades?limit=3", -1102, "'symbol'"),
        (
            "aggTrades?symbol=BTCUSDT&fromId=1&startTime=1",
            -1128,
            "Combination of optional parameters invalid.",
        ),
        ("aggTrades?symbol=BTCUSDT&startTime=0&endTime=3600001", -1127, "More than 1 hours"),
        (
            'ticker/price?symbols=["BTCUSDT","BTCUSDT"]',
            -1151,
            "Symbol is present multiple times in the list.",
        ),
        ("ticker/price?symbols=BTCUSDT", -1100, "'symbols'"),
        ('ticker/price?symbol=BTCUSDT&symbols=["BTCUSDT"]', -1128, "Combination"),
        ("ticker/24hr?symbol=BTCUSDT&type=BIG", -1130, "'type'"),
    ],
)
def test_errors_have_the_exchanges_codes(rest: httpx.Client, path: str, code: int, message: str) -> None:
    answer = rest.get(f"/api/v3/{path}")
    assert answer.status_code == 400
    assert answer.json()["code"] == code
    assert message in answer.json()["msg"]
    assert answer.json().keys() == {"code", "msg"}


def test_times_are_of_the_unit_that_is_asked_for(rest: httpx.Client) -> None:
    plain = rest.get("/api/v3/time").json()["serverTime"]
    fine = rest.get("/api/v3/time", headers={"X-MBX-TIME-UNIT": "microsecond"}).json()["serverTime"]
    assert abs(plain - time.time() * 1_000) < 5_000
    assert 0 <= fine - plain * 1_000 < 5_000_000
    trade = rest.get(
        "/api/v3/trades?symbol=BTCUSDT&limit=1", headers={"X-MBX-TIME-UNIT": "MICROSECOND"}
    ).json()[0]
    assert abs(trade["time"] - fine) < 60_000_000


def test_a_gap_is_repaired_by_id(rest: httpx.Client) -> None:
    newest = rest.get("/api/v3/trades?symbol=BTCUSDT&limit=1000").json()
    assert [row["id"] for row in newest] == list(range(newest[0]["id"], newest[0]["id"] + 1000))
    again = rest.get(f"/api/v3/historicalTrades?symbol=BTCUSDT&fromId={newest[100]['id']}&limit=300").json()
    assert again == newest[100:400]
    groups = rest.get("/api/v3/aggTrades?symbol=BTCUSDT&limit=100").json()
    assert rest.get(f"/api/v3/aggTrades?symbol=BTCUSDT&fromId={groups[0]['a']}&limit=100").json() == groups
    assert [row["a"] for row in groups] == list(range(groups[0]["a"], groups[0]["a"] + 100))
    span = rest.get(
        f"/api/v3/aggTrades?symbol=BTCUSDT&startTime={groups[5]['T']}&endTime={groups[90]['T']}"
    ).json()
    assert {row["a"] for row in span} >= {row["a"] for row in groups[6:90]}
    assert all(groups[5]["T"] <= row["T"] <= groups[90]["T"] for row in span)


def test_the_trades_of_a_closed_minute_add_up_to_its_candle(rest: httpx.Client) -> None:
    row = rest.get("/api/v3/klines?symbol=ETHUSDT&interval=1m&limit=2").json()[0]
    trades, start = [], row[0]
    while start <= row[6]:
        part = rest.get(
            "/api/v3/aggTrades",
            params={"symbol": "ETHUSDT", "startTime": start, "endTime": row[6], "limit": 1000},
        ).json()
        trades += [one for one in part if not trades or one["a"] > trades[-1]["a"]]
        if len(part) < 1000:
            break
        start = part[-1]["T"]
    assert sum(one["l"] - one["f"] + 1 for one in trades) == row[8]
    assert sum(float(one["q"]) for one in trades) == pytest.approx(float(row[5]))
    assert sum(float(one["q"]) * float(one["p"]) for one in trades) == pytest.approx(float(row[7]))
    assert (trades[0]["p"], trades[-1]["p"]) == (row[1], row[4])


@pytest.mark.parametrize(
    ("path", "weight"),
    [
        ("ping", 1),
        ("klines?symbol=BTCUSDT&interval=1m&limit=1", 2),
        ("aggTrades?symbol=BTCUSDT&limit=1", 4),
        ("trades?symbol=BTCUSDT&limit=1", 25),
        ("exchangeInfo", 20),
        ("ticker/price", 4),
        ("ticker/price?symbol=BTCUSDT", 2),
        ("ticker/24hr", 80),
    ],
)
def test_requests_have_their_weight(rest: httpx.Client, path: str, weight: int) -> None:
    def used() -> int:
        return int(rest.get("/api/v3/ping").headers["X-MBX-USED-WEIGHT-1M"])

    before = used()
    rest.get(f"/api/v3/{path}")
    after = used()
    assert after - before == weight + 1 or after < before, "neither the weight, nor a new minute"


def test_past_the_limit_comes_429_and_then_a_ban() -> None:
    with running_exchange(EXCHANGE_WEIGHT_LIMIT="60") as url, httpx.Client(base_url=url) as client:
        answers = [client.get("/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=1") for _ in range(90)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[0] == 200
    assert statuses[-1] == 418
    first = answers[statuses.index(429)]
    assert first.json()["code"] == -1003
    assert 1 <= int(first.headers["Retry-After"]) <= 60
    assert int(first.headers["X-MBX-USED-WEIGHT-1M"]) > 60
    assert int(answers[-1].headers["Retry-After"]) > 60


def test_each_address_has_a_weight_of_its_own() -> None:
    weights = Weights(10)
    weights.charge("a", 6)
    weights.charge("b", 6)
    assert weights.headers("b")["X-MBX-USED-WEIGHT-1M"] == "6"
    with pytest.raises(ApiError, match="Too much request weight"):
        weights.charge("a", 6)
