"""The REST client's patience and pace, against answers made to measure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest

from cryptobot.exchange.errors import ExchangeUnavailableError, KlinesUnavailableError, RequestRefusedError
from cryptobot.exchange.patience import ATTEMPTS, LONGEST_PATIENCE_SECONDS
from cryptobot.exchange.rest import PAGE, RestClient
from cryptobot.market import Interval, Span
from cryptobot.market.instant import from_ms, to_ms

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2027, 1, 1, tzinfo=UTC)
MINUTE_MS = 60_000
Handler = Callable[[httpx.Request], httpx.Response]


def row(open_ms: int) -> list[object]:
    return [open_ms, "1", "2", "0.5", "1.5", "10", open_ms + MINUTE_MS - 1, "15", 3, "4", "6", "0"]


def span_of(minutes: int) -> Span:
    return Span("BTCUSDT", Interval.MINUTE_1, START, START + timedelta(minutes=minutes))


class Exchange:
    """Serves one-minute candles from ``START`` on, after the answers that a test puts before."""

    def __init__(
        self,
        *before: httpx.Response | Exception,
        missing: frozenset[int] = frozenset(),
        off_grid: frozenset[int] = frozenset(),
    ) -> None:
        self.before = list(before)
        self.missing = missing
        self.off_grid = off_grid
        self.requests: list[dict[str, str]] = []
        self.waits: list[float] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(dict(request.url.params))
        if self.before:
            first = self.before.pop(0)
            if isinstance(first, Exception):
                raise first
            return first
        start, end = int(request.url.params["startTime"]), int(request.url.params["endTime"])
        opens = range(-(-start // MINUTE_MS) * MINUTE_MS, end + 1, MINUTE_MS)
        extra = {at for at in self.off_grid if start <= at <= end}
        rows = [row(at) for at in sorted({*opens} - self.missing | extra)]
        return httpx.Response(200, content=orjson.dumps(rows[: int(request.url.params["limit"])]))

    def client(self) -> RestClient:
        transport = httpx.MockTransport(self.answer)
        return RestClient("http://exchange", transport=transport, sleep=self.waits.append)

    def opens(self, span: Span, now: datetime = NOW) -> list[int]:
        with self.client() as client:
            return [int(item[0]) for page in client.klines(span, now) for item in page]


class TestPages:
    def test_all_candles_of_the_span_arrive_once_and_in_order(self) -> None:
        exchange = Exchange()
        opens = exchange.opens(span_of(2 * PAGE + 1))
        assert opens == [to_ms(START) + i * MINUTE_MS for i in range(2 * PAGE + 1)]
        assert len(exchange.requests) == 3

    def test_a_hole_in_the_history_does_not_end_the_reading(self) -> None:
        hole = frozenset(to_ms(START) + i * MINUTE_MS for i in range(5, 20))
        assert len(Exchange(missing=hole).opens(span_of(1_500))) == 1_485

    def test_a_hole_at_the_end_ends_with_an_empty_page(self) -> None:
        hole = frozenset(to_ms(START) + i * MINUTE_MS for i in range(5, 10))
        assert len(Exchange(missing=hole).opens(span_of(10))) == 5

    @pytest.mark.parametrize(("milliseconds", "closed"), [(-1, 9), (0, 10), (1, 10)])
    def test_the_open_candle_never_passes(self, milliseconds: int, closed: int) -> None:
        now = START + timedelta(minutes=10, milliseconds=milliseconds)
        assert len(Exchange().opens(span_of(60), now)) == closed

    def test_windows_are_read_ahead_and_arrive_in_order(self) -> None:
        exchange, both = Exchange(), threading.Barrier(2, timeout=30)

        def answer(request: httpx.Request) -> httpx.Response:
            if int(request.url.params["startTime"]) > to_ms(START):  # the first of all goes alone
                both.wait()
            page = exchange.answer(request)
            page.headers["Date"] = "Thu, 01 Jan 2026 00:00:00 GMT"  # no minute ends meanwhile
            return page

        with RestClient("http://exchange", transport=httpx.MockTransport(answer), ahead=2) as client:
            pages = list(client.klines(span_of(5 * PAGE - 1), NOW))
        assert [page[0][0] for page in pages] == [to_ms(START) + i * PAGE * MINUTE_MS for i in range(5)]

    def test_candles_off_the_grid_fill_more_than_a_page(self) -> None:
        off_grid = frozenset(to_ms(START) + i * MINUTE_MS + 7 for i in (3, 4, PAGE - 1, 2 * PAGE - 1))
        opens = Exchange(off_grid=off_grid).opens(span_of(2 * PAGE))
        assert len(opens) == 2 * PAGE + 4
        assert opens == sorted(opens)

    def test_repeated_and_disordered_rows_are_kept_in_order_of_open_time(self) -> None:
        at = to_ms(START)
        rows = [row(at + MINUTE_MS), row(at), row(at + MINUTE_MS), row(at + 2 * MINUTE_MS)]
        opens = Exchange(httpx.Response(200, content=orjson.dumps(rows))).opens(span_of(3))
        assert opens == [at, at + MINUTE_MS, at + MINUTE_MS, at + 2 * MINUTE_MS]

    def test_nothing_is_asked_of_the_future(self) -> None:
        exchange = Exchange()
        assert exchange.opens(span_of(5 * PAGE), START + timedelta(minutes=10)) != []
        assert len(exchange.requests) == 1
        assert exchange.opens(span_of(5), START) == []

    def test_a_close_time_that_cannot_be_read_leaves_the_grid_to_say_what_has_closed(self) -> None:
        rows = [[*row(at)[:6], "soon", *row(at)[7:]] for at in (to_ms(START), to_ms(START) + MINUTE_MS)]
        exchange = Exchange(httpx.Response(200, content=orjson.dumps(rows)))
        assert exchange.opens(span_of(2), START + timedelta(seconds=90)) == [to_ms(START)]


class TestPatience:
    @pytest.mark.parametrize(
        "trouble",
        [
            httpx.Response(503),
            httpx.ReadTimeout("slow"),
            httpx.RemoteProtocolError("cut"),
            httpx.Response(200, content=b'[[1767225600000,"1'),
            httpx.Response(200, content=orjson.dumps([row(0)])),
            httpx.Response(200, content=b"[[1]]"),
        ],
        ids=["5xx", "timeout", "cut connection", "cut body", "row beside the range", "broken row"],
    )
    def test_passing_trouble_is_outlasted(self, trouble: httpx.Response | Exception) -> None:
        exchange = Exchange(trouble, trouble)
        assert len(exchange.opens(span_of(3))) == 3
        assert len(exchange.waits) == 2

    def test_a_row_that_stays_cut_short_is_handed_over_as_it_is(self) -> None:
        body = orjson.dumps([row(to_ms(START)), row(to_ms(START) + MINUTE_MS)[:4]])
        exchange = Exchange(*[httpx.Response(200, content=body)] * 4)
        with exchange.client() as client:
            (page,) = client.klines(span_of(2), NOW)
        assert [len(fields) for fields in page] == [12, 4]
        assert len(exchange.requests) == 4

    def test_retry_after_is_obeyed(self) -> None:
        exchange = Exchange(httpx.Response(429, headers={"Retry-After": "7"}))
        assert len(exchange.opens(span_of(3))) == 3
        (waited,) = exchange.waits
        assert 7 <= waited < 7.5

    def test_a_storm_of_refusals_is_outlasted_but_not_for_ever(self) -> None:
        storm = [httpx.Response(429, headers={"Retry-After": "1"})] * (3 * ATTEMPTS)
        assert len(Exchange(*storm).opens(span_of(3))) == 3
        endless = Exchange(*[httpx.Response(429, headers={"Retry-After": "100"})] * 20)
        with pytest.raises(KlinesUnavailableError, match="HTTP 429, retry after 100 s"):
            endless.opens(span_of(3))
        assert sum(endless.waits) > LONGEST_PATIENCE_SECONDS - 1

    def test_a_long_ban_fails_at_once_and_says_how_long(self) -> None:
        exchange = Exchange(httpx.Response(418, headers={"Retry-After": "7200"}))
        with pytest.raises(KlinesUnavailableError, match="7200 s"):
            exchange.opens(span_of(3))
        assert len(exchange.requests) == 1

    def test_lasting_trouble_names_symbol_interval_and_range(self) -> None:
        exchange = Exchange(*[httpx.Response(503) for _ in range(ATTEMPTS)])
        with pytest.raises(KlinesUnavailableError, match=r"BTCUSDT 1m from 2026-01-01.* to 2026-01-01.*503"):
            exchange.opens(span_of(3))
        assert len(exchange.requests) == ATTEMPTS

    def test_a_refused_request_is_not_repeated(self) -> None:
        refusal = httpx.Response(400, content=b'{"code":-1121,"msg":"Invalid symbol."}')
        exchange = Exchange(refusal)
        with (
            exchange.client() as client,
            pytest.raises(RequestRefusedError, match="Invalid symbol") as raised,
        ):
            client.exchange_info()
        assert raised.value.code == -1121
        assert exchange.waits == []

    def test_an_exchange_that_is_away_is_named(self) -> None:
        exchange = Exchange(*[httpx.ConnectError("refused") for _ in range(ATTEMPTS)])
        with exchange.client() as client, pytest.raises(ExchangeUnavailableError, match="http://exchange"):
            client.server_time()


class TestPace:
    def used(self, weight: int, second: int) -> httpx.Response:
        headers = {"X-MBX-USED-WEIGHT-1M": str(weight), "Date": f"Thu, 01 Jan 2026 00:00:{second:02d} GMT"}
        rows = [row(to_ms(START) + i * MINUTE_MS) for i in range(PAGE)]
        return httpx.Response(200, content=orjson.dumps(rows), headers=headers)

    def test_weight_used_up_waits_for_the_next_minute_of_the_exchange(self) -> None:
        exchange = Exchange(self.used(5_699, second=40))
        assert len(exchange.opens(span_of(PAGE + 10))) == PAGE + 10
        (waited,) = exchange.waits
        assert 19 < waited < 20.5

    def test_below_the_budget_nothing_waits(self) -> None:
        exchange = Exchange(self.used(5_698, second=40))
        exchange.opens(span_of(PAGE + 10))
        assert exchange.waits == []


def test_the_record_bounds_an_open_span() -> None:
    newest = to_ms(START) + 4 * MINUTE_MS
    exchange = Exchange(
        httpx.Response(200, content=orjson.dumps([row(to_ms(START))])),
        httpx.Response(200, content=orjson.dumps([row(newest)])),
    )
    asked = Span("BTCUSDT", Interval.MINUTE_1, from_ms(0), datetime(2027, 1, 1, tzinfo=UTC))
    with exchange.client() as client:
        assert client.record(asked) == span_of(5)
    assert [sorted(request) for request in exchange.requests] == [
        ["endTime", "interval", "limit", "startTime", "symbol"],
        ["endTime", "interval", "limit", "symbol"],
    ]
