"""The streams: what they carry, how they are asked for, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from cryptobot.market import Interval, Kline
from infra.exchange.subscription import parse
from tests.exchange_server import running_exchange

FIELDS = {
    "trade": {"e", "E", "s", "t", "p", "q", "T", "m", "M"},
    "aggTrade": {"e", "E", "s", "a", "p", "q", "f", "l", "T", "m", "M"},
    "kline": {"e", "E", "s", "k"},
    "24hrMiniTicker": {"e", "E", "s", "c", "o", "h", "l", "v", "q"},
}
KLINE_FIELDS = set("tTsifLohlcvnxqVQB")


def ws(url: str) -> str:
    return url.replace("http", "ws", 1)


def served(client: httpx.Client, k: dict[str, Any]) -> Kline:
    """The candle of a stream event as REST serves it."""
    query = {"symbol": k["s"], "interval": k["i"], "startTime": k["t"], "limit": 1}
    row = client.get("/api/v3/klines", params=query).json()[0]
    return Kline.from_rest(k["s"], Interval(k["i"]), row)


class _Closed:
    """Whether so many closed candles of each interval have come."""

    def __init__(self, wanted: dict[str, int]) -> None:
        self._left = Counter(wanted)

    def __call__(self, got: list[dict[str, Any]]) -> bool:
        k = got[-1].get("data", got[-1]).get("k", {}) if got else {}
        if k.get("x"):
            self._left[k["i"]] -= 1
        return not +self._left


async def receive(
    socket: ClientConnection, enough: Callable[[list[dict[str, Any]]], bool], limit: float = 30
) -> list[dict[str, Any]]:
    got: list[dict[str, Any]] = []
    async with asyncio.timeout(limit):
        while not enough(got):
            got.append(json.loads(await socket.recv()))
    return got


@pytest.fixture(scope="module")
def fast() -> Any:
    """An exchange on which a minute takes a second."""
    with running_exchange(EXCHANGE_SPEED="60", EXCHANGE_TRADES_PER_SECOND="5") as url:
        yield url


async def test_each_kind_of_event_has_the_exchanges_fields(exchange: str) -> None:
    names = "/".join(f"btcusdt@{kind}" for kind in ("trade", "aggTrade", "kline_1m", "miniTicker"))
    async with connect(f"{ws(exchange)}/stream?streams={names}") as socket:
        got = await receive(socket, lambda got: len({one["stream"] for one in got}) == 4)
    for wrapped in got:
        event = wrapped["data"]
        assert event.keys() == FIELDS[event["e"]]
        assert event["s"] == "BTCUSDT"
        if event["e"] == "kline":
            assert event["k"].keys() == KLINE_FIELDS
        if event["e"] == "trade":
            assert abs(event["T"] / 1_000 - time.time()) < 30


async def test_a_raw_stream_is_not_wrapped_and_may_be_in_microseconds(exchange: str) -> None:
    async with connect(f"{ws(exchange)}/ws/ethusdt@trade?timeUnit=MICROSECOND") as socket:
        event = (await receive(socket, bool))[0]
    assert event["e"] == "trade"
    assert event["T"] > 10**15


async def test_closed_candles_are_their_trades_and_what_rest_serves(fast: str) -> None:
    async with connect(
        f"{ws(fast)}/stream?streams=btcusdt@trade/btcusdt@kline_1m/btcusdt@kline_5m"
    ) as socket:
        got = await receive(socket, _Closed({"1m": 7, "5m": 1}))
    trades: dict[int, list[dict[str, Any]]] = defaultdict(list)
    closed = []
    for event in (one["data"] for one in got):
        if event["e"] == "trade":
            trades[event["T"] - event["T"] % 60_000].append(event)
        elif event["k"]["x"]:
            closed.append(event["k"])
    ids = [one["t"] for minute in trades.values() for one in minute]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    for k in [one for one in closed if one["i"] == "1m"][1:]:
        mine = trades[k["t"]]
        assert (len(mine), mine[0]["t"], mine[-1]["t"]) == (k["n"], k["f"], k["L"])
        assert (mine[0]["p"], mine[-1]["p"]) == (k["o"], k["c"])
        assert sum(float(one["q"]) for one in mine) == pytest.approx(float(k["v"]))
    with httpx.Client(base_url=fast) as rest:
        assert [served(rest, k) for k in closed] == [Kline.from_stream(k) for k in closed]


async def test_each_second_closes_its_candle_as_rest_serves_it(exchange: str) -> None:
    async with connect(f"{ws(exchange)}/ws/btcusdt@kline_1s") as socket:
        got = await receive(socket, _Closed({"1s": 4}))
    closed = [one["k"] for one in got if one["k"]["x"]]
    assert [k["t"] for k in closed] == [closed[0]["t"] + 1_000 * place for place in range(4)]
    with httpx.Client(base_url=exchange) as rest:
        assert [served(rest, k) for k in closed] == [Kline.from_stream(k) for k in closed]


async def test_a_replay_streams_the_records_last_day_with_its_own_times(replay: httpx.Client) -> None:
    url = str(replay.base_url).rstrip("/")
    async with connect(f"{ws(url)}/ws/ethusdt@kline_1m") as socket:
        got = await receive(socket, _Closed({"1m": 4}))
    for k in (one["k"] for one in got if one["k"]["x"]):
        assert 1_761_884_520_000 <= k["t"] < 1_761_970_920_000
        assert served(replay, k) == Kline.from_stream(k)


async def test_subscriptions_are_made_listed_and_ended(exchange: str) -> None:
    async with connect(f"{ws(exchange)}/ws") as socket:
        for method, params, result in (
            ("SUBSCRIBE", ["btcusdt@trade", "btcusdt@kline_1h"], None),
            ("LIST_SUBSCRIPTIONS", [], ["btcusdt@trade", "btcusdt@kline_1h"]),
            ("UNSUBSCRIBE", ["btcusdt@trade"], None),
        ):
            await socket.send(json.dumps({"method": method, "params": params, "id": method}))
            got = await receive(socket, lambda got, method=method: bool(got) and got[-1].get("id") == method)
            assert got[-1] == {"result": result, "id": method}
        kinds = {one["e"] for one in await receive(socket, lambda got: len(got) == 2)}
    assert kinds == {"kline"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no json", 3),
        ("[]", 3),
        ('{"method":"SUBSCRIBE","params":"x","id":1}', 1),
        ('{"method":"X","id":1}', 2),
    ],
)
async def test_what_cannot_be_understood_is_refused(exchange: str, text: str, code: int) -> None:
    async with connect(f"{ws(exchange)}/ws") as socket:
        await socket.send(text)
        assert (await receive(socket, bool))[0]["error"]["code"] == code


async def test_more_than_1024_streams_are_refused(exchange: str) -> None:
    async with connect(f"{ws(exchange)}/ws") as socket:
        names = [f"sym{number}usdt@trade" for number in range(1_025)]
        await socket.send(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}))
        assert "error" in (await receive(socket, bool))[0]


async def test_who_sends_more_than_5_messages_a_second_is_cut_off(exchange: str) -> None:
    async with connect(f"{ws(exchange)}/ws") as socket:
        for number in range(8):
            await socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        with pytest.raises(ConnectionClosed) as ended:
            await receive(socket, lambda got: len(got) > 8)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1008


async def test_who_does_not_answer_pings_is_cut_off() -> None:
    with running_exchange(EXCHANGE_PING_SECONDS="0.1") as url:
        async with connect(f"{ws(url)}/ws/btcusdt@trade") as answering:
            await receive(answering, lambda got: bool(got) and got[-1]["E"] - got[0]["E"] > 1_000)
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        got = b""
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionResetError):
                while part := await reader.read(1_000):
                    got += part
        writer.close()
    assert got.partition(b"\r\n\r\n")[2].startswith(b"\x89")


async def test_connections_end_when_their_time_is_over() -> None:
    with running_exchange(EXCHANGE_CONNECTION_SECONDS="0.5") as url:
        async with connect(f"{ws(url)}/ws/btcusdt@trade") as socket:
            with pytest.raises(ConnectionClosed) as ended:
                await receive(socket, lambda got: False)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1000


async def test_an_address_may_connect_only_so_often() -> None:
    with running_exchange(EXCHANGE_CONNECTION_LIMIT="2") as url:
        for _ in range(2):
            async with connect(f"{ws(url)}/ws"):
                pass
        with pytest.raises(Exception, match="429"):
            await connect(f"{ws(url)}/ws")


async def test_the_end_of_the_server_is_announced() -> None:
    with running_exchange() as url:
        socket = await connect(f"{ws(url)}/ws/btcusdt@miniTicker")
        await socket.recv()
    got = [json.loads(text) async for text in socket]
    assert got[-1]["e"] == "serverShutdown"


def test_names_are_read_as_the_exchange_reads_them() -> None:
    def read(name: str) -> Any:
        return parse(name, wrapped=False, scale=1)

    assert read("btcusdt@kline_1M").interval is Interval.MONTH_1
    assert read("btcusdt@kline_1d@+08:00").zone_ms == 8 * 3_600_000
    assert read("!miniTicker@arr").symbol == ""
    assert read("btcusdt@kline_7m") is None
    assert read("BTCUSDT@trade") is None
    assert read("btcusdt@depth") is None
