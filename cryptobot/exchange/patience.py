"""Asking again: what passes is outlasted with backoff and jitter, what lasts becomes an error."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import httpx
import orjson
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from cryptobot.exchange.errors import ExchangeUnavailableError, RequestRefusedError

T = TypeVar("T")
Sleep = Callable[[float], None]

ATTEMPTS = 12
"""Failures after which asking again is given up; refusals for a named time are not counted as such."""

LONGEST_PATIENCE_SECONDS = 600.0
"""How long refusals for a named time are put up with, all together."""

LONGEST_WAIT_SECONDS = 180.0
"""A longer wait than this asked for by the exchange (a ban) is an error, not a pause."""

TIMEOUT = httpx.Timeout(10.0)
_TOO_MANY_REQUESTS, _BANNED, _UNAVAILABLE = 429, 418, 503
_DEFAULT_RETRY_AFTER = {_TOO_MANY_REQUESTS: 60.0, _BANNED: 60.0}

_BACKOFF = wait_random_exponential(multiplier=0.2, max=10)


class TransientError(Exception):
    """Asking again may help, after ``wait`` seconds where the server named a time.

    ``held`` says that whoever lets requests go waits for that time by itself.
    """

    def __init__(self, message: str, wait: float | None = None, *, held: bool = False) -> None:
        super().__init__(message)
        self.wait = wait
        self.held = held


def patiently(ask: Callable[[], T], what: str, sleep: Sleep = time.sleep) -> T:
    """Return what ``ask`` returns, asking again while it raises :class:`TransientError`.

    Raises
    ------
    ExchangeUnavailableError
        After :data:`ATTEMPTS` or :data:`LONGEST_PATIENCE_SECONDS`; it names ``what``, how often it
        was asked and the last reason.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(TransientError),
        wait=_wait,
        stop=_Limit(),
        sleep=lambda seconds: sleep(seconds) if seconds > 0 else None,
        reraise=True,
    )
    try:
        return retrying(ask)
    except TransientError as error:
        attempts = retrying.statistics["attempt_number"]
        raise ExchangeUnavailableError(
            f"{what} gave no usable answer in {attempts} attempts; the last: {error}"
        ) from error


class _Limit:
    """When to give up: counts what failed, and adds up what the server asked to wait."""

    def __init__(self) -> None:
        self._failures = 0
        self._waited = 0.0

    def __call__(self, state: RetryCallState) -> bool:
        error = _error(state)
        if error is None or error.wait is None:
            self._failures += 1
        else:
            self._waited += max(error.wait, 1.0)
        return self._failures >= ATTEMPTS or self._waited > LONGEST_PATIENCE_SECONDS


def _wait(state: RetryCallState) -> float:
    error = _error(state)
    if error is None or error.wait is None:
        return _BACKOFF(state)
    return 0.0 if error.held else error.wait


def _error(state: RetryCallState) -> TransientError | None:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, TransientError) else None


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds for which the server refuses more requests, or None where it does not."""
    status = response.status_code
    if status not in (_TOO_MANY_REQUESTS, _BANNED, _UNAVAILABLE):
        return None
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return _DEFAULT_RETRY_AFTER.get(status)


def failure(response: httpx.Response) -> Exception:
    """Return what an answer with an error status means."""
    status, wait = response.status_code, retry_after(response)
    if wait is not None and wait > LONGEST_WAIT_SECONDS:
        return ExchangeUnavailableError(
            f"the exchange refuses this address for {wait:.0f} s (HTTP {status}); run again after that"
        )
    if wait is not None:
        return TransientError(f"HTTP {status}, retry after {wait:.0f} s", wait)
    if response.is_server_error:
        return TransientError(f"HTTP {status}")
    try:
        body = orjson.loads(response.content)
        code, message = int(body["code"]), str(body["msg"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        code, message = 0, response.text[:200]
    return RequestRefusedError(f"the exchange refused {response.url}: HTTP {status}, {code}: {message}", code)
