"""The REST client: candles, aggregate trades, the exchange's clock, and what it trades.

Follows the exchange's documentation of the spot market (klines, aggTrades, exchangeInfo, limits).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import count
from operator import itemgetter
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from cryptobot.exchange.ahead import READ_AHEAD, in_order
from cryptobot.exchange.errors import ExchangeError, KlinesUnavailableError, MalformedAnswerError
from cryptobot.exchange.pace import DEFAULT_LIMIT, Pace
from cryptobot.exchange.patience import TIMEOUT, TransientError, failure, patiently, retry_after
from cryptobot.exchange.windows import cut
from cryptobot.market.instant import from_ms, to_ms
from cryptobot.market.interval import Interval
from cryptobot.market.kline import milliseconds
from cryptobot.market.span import Span

PAGE = 1_000
"""Rows of one answer of klines or aggTrades, at most."""

KLINE_FIELDS = 11
"""Fields of a candle that mean something; the wire's twelfth is unused."""

_ASKS_FOR_WHOLE_ROWS = 3
"""A row that is still cut short then is what the exchange has: it is handed over as it is."""

_WEIGHTS = {"/api/v3/klines": 2, "/api/v3/aggTrades": 4, "/api/v3/exchangeInfo": 20, "/api/v3/time": 1}
_BY_OPEN_TIME = itemgetter(0)

Row = list[Any]
"""A row of klines as on the wire; see :meth:`cryptobot.market.kline.Kline.from_rest`."""


class RestClient:
    """Reads market data from one exchange; blocking, and safe to share between threads.

    Parameters
    ----------
    base_url
        Address of the exchange, such as ``https://data-api.binance.vision``.
    weight_limit
        Weight allowed per address and minute; exchangeInfo names it.
    ahead
        Requests for candles of one span that are kept under way.
    transport
        Replaces the network.
    sleep
        Waits so many seconds.
    """

    def __init__(
        self,
        base_url: str,
        *,
        weight_limit: int = DEFAULT_LIMIT,
        ahead: int = READ_AHEAD,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=TIMEOUT, transport=transport)
        self._pace = Pace(weight_limit, sleep)
        self._ahead = ahead
        self._sleep = sleep

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def server_time(self) -> datetime:
        """Return the exchange's clock: the only "now" by which a candle is closed or open."""
        answer = self.get("/api/v3/time", {})
        try:
            return from_ms(int(answer["serverTime"]))
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedAnswerError(f"the exchange's time cannot be read: {answer!r:.200}") from error

    def exchange_info(self) -> dict[str, Any]:
        """Return exchangeInfo: ``symbols`` with status and filters, and ``rateLimits``."""
        answer = self.get("/api/v3/exchangeInfo", {})
        if not isinstance(answer, dict) or not isinstance(answer.get("symbols"), list):
            raise MalformedAnswerError(f"exchangeInfo cannot be read: {answer!r:.200}")
        return answer

    def record(self, span: Span) -> Span | None:
        """Return the part of ``span`` from the first candle that the exchange has to the last.

        None where it has no candle there. The last may still be open.
        """
        bounds = {
            "symbol": span.symbol,
            "interval": span.interval.value,
            "endTime": span.end_ms - 1,
            "limit": 1,
        }
        first = self.get("/api/v3/klines", {**bounds, "startTime": span.start_ms}, check_klines)
        last = self.get("/api/v3/klines", bounds, check_klines)
        if not first:
            return None
        end_ms = min(span.end_ms, span.interval.following(span.interval.floor(int(last[0][0]))))
        return Span(span.symbol, span.interval, from_ms(int(first[0][0])), from_ms(end_ms))

    def klines(self, span: Span, now: datetime) -> Iterator[list[Row]]:
        """Yield the span's closed candles, window by window, in order of open time.

        The span is read in windows of :data:`PAGE` candles of the grid, several at a time. Within
        a window rows are sorted by open time, stably: what the exchange repeats stands beside its
        first row. A candle that has not closed by ``now`` is left out. Candles that the exchange
        does not have are absent; none is invented. Fields other than the open time are as sent; a row
        that is cut short each time is so too.

        Raises
        ------
        KlinesUnavailableError
            When a page cannot be had; it names the symbol, the interval and the range.
        """
        now_ms = to_ms(now)
        known = min(span.end_ms, now_ms)
        if known <= span.start_ms:
            return
        begun = Span(span.symbol, span.interval, span.start, from_ms(known))
        for rows in in_order(self._window, cut(begun, PAGE), self._ahead):
            if closed := [row for row in rows if _has_closed(row, span.interval, now_ms)]:
                yield closed

    def _window(self, window: Span) -> list[Row]:
        rows: list[Row] = []
        start_ms = window.start_ms
        while start_ms < window.end_ms:
            try:
                page = self._page(window, start_ms)
            except ExchangeError as error:
                start, end = from_ms(start_ms).isoformat(), window.end.isoformat()
                raise KlinesUnavailableError(window.symbol, window.interval, start, end, error) from error
            page.sort(key=_BY_OPEN_TIME)
            rows += page
            if len(page) < PAGE:
                break
            start_ms = page[-1][0] + 1  # candles off the grid fill more than a page
        return rows

    def _page(self, window: Span, start_ms: int) -> list[Row]:
        params = {
            "symbol": window.symbol,
            "interval": window.interval.value,
            "startTime": start_ms,
            "endTime": window.end_ms - 1,
            "limit": PAGE,
        }
        answers = count(1)

        def check(answer: Any) -> None:
            whole = next(answers) <= _ASKS_FOR_WHOLE_ROWS
            check_klines(answer, start_ms, window.end_ms, KLINE_FIELDS if whole else 1)

        rows: list[Row] = self.get("/api/v3/klines", params, check)
        return rows

    def get(
        self,
        path: str,
        params: Mapping[str, str | int],
        check: Callable[[Any], None] = lambda _: None,
    ) -> Any:
        """Return the answer of an endpoint, paced and asked for again where that may help.

        ``check`` raises :class:`MalformedAnswerError` for an answer that is not what was asked for;
        such an answer is asked for again.
        """
        what = f"{self._http.base_url}{path}"
        return patiently(lambda: self._ask(path, params, check), what, self._sleep)

    def _ask(self, path: str, params: Mapping[str, str | int], check: Callable[[Any], None]) -> Any:
        with self._pace.turn(_WEIGHTS[path]) as turn:
            try:
                response = self._http.get(path, params=params)
            except httpx.TransportError as error:
                raise TransientError(f"{type(error).__name__}: {error}") from error
            turn.answered(response.headers)
            if response.is_error:
                raise self._failure(response)
        try:
            answer = orjson.loads(response.content)
            check(answer)
        except (orjson.JSONDecodeError, MalformedAnswerError) as error:
            raise TransientError(f"malformed answer: {error}") from error
        return answer

    def _failure(self, response: httpx.Response) -> Exception:
        """Return what an error status means; a wait that it names holds all requests, not this one only."""
        error, wait = failure(response), retry_after(response)
        if isinstance(error, TransientError) and wait is not None:
            self._pace.hold(wait)
            return TransientError(str(error), wait, held=True)
        return error


def check_klines(rows: Any, start_ms: int = 0, end_ms: int = 2**63, fields: int = KLINE_FIELDS) -> None:
    """Refuse what is not a list of candles that open in ``[start_ms, end_ms)``, of ``fields`` or more.

    Repeated rows, their order and the fields beside the open time are not judged here.
    """
    if not isinstance(rows, list):
        raise MalformedAnswerError(f"not a list of candles: {rows!r:.200}")
    for row in rows:
        if type(row) is not list or len(row) < fields or type(row[0]) is not int:
            raise MalformedAnswerError(f"not a candle: {row!r:.200}")
        if not start_ms <= row[0] < end_ms:
            raise MalformedAnswerError(f"candle {row[0]} is not of the range that was asked for")


def _has_closed(row: Row, interval: Interval, now_ms: int) -> bool:
    """Tell whether a candle has closed; the grid says so where its close time cannot be read."""
    if len(row) > 6 and type(row[6]) is int:
        return milliseconds(row[6]) < now_ms
    return interval.following(interval.floor(row[0])) <= now_ms
