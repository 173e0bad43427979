"""The REST client: candles, the exchange's clock, and what it trades.

Follows the exchange's documentation of the spot market (klines, exchangeInfo, limits).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx
import orjson
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from cryptobot.exchange.errors import (
    ExchangeError,
    ExchangeUnavailableError,
    KlinesUnavailableError,
    MalformedAnswerError,
    RequestRefusedError,
)
from cryptobot.exchange.pace import DEFAULT_LIMIT, Pace
from cryptobot.market.instant import from_ms
from cryptobot.market.kline import is_closed
from cryptobot.market.span import Span

PAGE = 1_000
"""Rows of one klines answer, at most."""

ATTEMPTS = 8
LONGEST_WAIT_SECONDS = 180.0
"""A longer wait than this asked for by the exchange (a ban) is an error, not a pause."""

_TIMEOUT = httpx.Timeout(10.0)
_WEIGHTS = {"/api/v3/klines": 2, "/api/v3/exchangeInfo": 20, "/api/v3/time": 1}
_TOO_MANY_REQUESTS, _BANNED = 429, 418

Row = list[Any]
"""A row of klines as on the wire; see :meth:`cryptobot.market.kline.Kline.from_rest`."""


class _TransientError(Exception):
    """Asking again may help, after ``wait`` seconds where the exchange named a time."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class RestClient:
    """Reads market data from one exchange; blocking, for one thread.

    Parameters
    ----------
    base_url
        Address of the exchange, such as ``https://data-api.binance.vision``.
    weight_limit
        Weight allowed per address and minute; exchangeInfo names it.
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
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=_TIMEOUT, transport=transport)
        self._pace = Pace(weight_limit, sleep)
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
        self._http.close()

    def server_time(self) -> datetime:
        """Return the exchange's clock: the only "now" by which a candle is closed or open."""
        answer = self._get("/api/v3/time", {})
        try:
            return from_ms(int(answer["serverTime"]))
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedAnswerError(f"the exchange's time cannot be read: {answer!r:.200}") from error

    def exchange_info(self) -> dict[str, Any]:
        """Return exchangeInfo: ``symbols`` with status and filters, and ``rateLimits``."""
        answer = self._get("/api/v3/exchangeInfo", {})
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
        first = self._get("/api/v3/klines", {**bounds, "startTime": span.start_ms}, _check_rows)
        last = self._get("/api/v3/klines", bounds, _check_rows)
        if not first:
            return None
        end_ms = min(span.end_ms, span.interval.following(span.interval.floor(int(last[0][0]))))
        return Span(span.symbol, span.interval, from_ms(int(first[0][0])), from_ms(end_ms))

    def klines(self, span: Span, now: datetime) -> Iterator[list[Row]]:
        """Yield the span's closed candles, page by page, in order of open time.

        A candle that has not closed by ``now`` ends the reading. Candles that the exchange
        does not have are absent; none is invented.

        Raises
        ------
        KlinesUnavailableError
            When a page cannot be had; it names the symbol, the interval and the range.
        """
        start_ms, now_ms = span.start_ms, int(now.timestamp() * 1_000)
        while True:
            try:
                rows = self._page(span, start_ms)
            except ExchangeError as error:
                start, end = from_ms(start_ms).isoformat(), span.end.isoformat()
                raise KlinesUnavailableError(span.symbol, span.interval, start, end, error) from error
            closed = [row for row in rows if is_closed(row, now_ms)]
            if closed:
                yield closed
            if len(closed) < len(rows) or not rows:
                return
            last_ms = int(rows[-1][0])
            if span.interval.following(span.interval.floor(last_ms)) >= span.end_ms:
                return
            start_ms = last_ms + 1  # a candle may open off the grid

    def _page(self, span: Span, start_ms: int) -> list[Row]:
        params = {
            "symbol": span.symbol,
            "interval": span.interval.value,
            "startTime": start_ms,
            "endTime": span.end_ms - 1,
            "limit": PAGE,
        }
        rows: list[Row] = self._get(
            "/api/v3/klines", params, lambda answer: _check_page(answer, start_ms, span.end_ms)
        )
        return rows

    def _get(
        self,
        path: str,
        params: Mapping[str, str | int],
        check: Callable[[Any], None] = lambda _: None,
    ) -> Any:
        backoff = wait_random_exponential(multiplier=0.2, max=10)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            named = error.wait if isinstance(error, _TransientError) else None
            return backoff(state) if named is None else named

        retrying = Retrying(
            retry=retry_if_exception_type(_TransientError),
            wait=wait,
            stop=stop_after_attempt(ATTEMPTS),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._get_once, path, params, check)
        except _TransientError as error:
            raise ExchangeUnavailableError(
                f"{self._http.base_url}{path} gave no usable answer in {ATTEMPTS} attempts; the last: {error}"
            ) from error

    def _get_once(self, path: str, params: Mapping[str, str | int], check: Callable[[Any], None]) -> Any:
        self._pace.before(_WEIGHTS[path])
        try:
            response = self._http.get(path, params=params)
        except httpx.TransportError as error:
            raise _TransientError(f"{type(error).__name__}: {error}") from error
        self._pace.after(response.headers)
        if response.is_error:
            raise _failure(response)
        try:
            answer = orjson.loads(response.content)
            check(answer)
        except (orjson.JSONDecodeError, MalformedAnswerError) as error:
            raise _TransientError(f"malformed answer: {error}") from error
        return answer


def _failure(response: httpx.Response) -> Exception:
    """Return what an answer with an error status means."""
    status = response.status_code
    if status in (_TOO_MANY_REQUESTS, _BANNED):
        wait = float(response.headers.get("Retry-After", 60))
        if wait > LONGEST_WAIT_SECONDS:
            return ExchangeUnavailableError(
                f"the exchange refuses this address for {wait:.0f} s (HTTP {status}); run again after that"
            )
        return _TransientError(f"HTTP {status}, retry after {wait:.0f} s", wait)
    if response.is_server_error:
        return _TransientError(f"HTTP {status}")
    try:
        body = orjson.loads(response.content)
        code, message = int(body["code"]), str(body["msg"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        code, message = 0, response.text[:200]
    return RequestRefusedError(f"the exchange refused {response.url}: HTTP {status}, {code}: {message}", code)


def _check_rows(rows: Any) -> None:
    """Refuse what is not a list of candles."""
    if not isinstance(rows, list):
        raise MalformedAnswerError(f"not a list of candles: {rows!r:.200}")
    for row in rows:
        if not isinstance(row, list) or len(row) < 11 or not isinstance(row[0], int):
            raise MalformedAnswerError(f"not a candle: {row!r:.200}")


def _check_page(rows: Any, start_ms: int, end_ms: int) -> None:
    """Refuse a page that is not rows of candles in order of open time within the range."""
    _check_rows(rows)
    previous = start_ms - 1
    for row in rows:
        if not previous < row[0] < end_ms:
            raise MalformedAnswerError(f"candle {row[0]} is repeated, out of order or out of range")
        previous = row[0]
