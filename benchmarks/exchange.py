"""How fast the offline exchange is on one core, so that it never is what another benchmark measures.

The exchange is bound to the first core and the
client to the last. The promise is held against the processor time that the server used, which is what
one core does when nobody else wants it; what the client saw, on a machine that may be busy, stands beside it.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil

from benchmarks.figures import Figure
from tests.exchange_server import running_exchange

_PAGES = 600
_STREAM_SECONDS = 10.0
_FROM_MS = 1_600_000_000_000
_PAGE_MS = 1_000 * 60_000
_EVENT = b'"e":"trade"'


def run() -> list[Figure]:
    """Measure pages of 1,000 rows, each asked for once and so made afresh, and streamed trades."""
    with _exchange("EXCHANGE_WEIGHT_LIMIT", "1000000") as (url, server):
        began = _used(server)
        pages = _pages_per_s(url)
        pages_a_core = _PAGES / (_used(server) - began)
    with _exchange("EXCHANGE_TRADES_PER_SECOND", "20000") as (url, server):
        began = _used(server)
        messages = _messages_per_s(url)
        messages_a_core = messages * _STREAM_SECONDS / (_used(server) - began)
    return [
        Figure("exchange_pages_per_core_s", round(pages_a_core), "1/s", "higher", must=200, aim=300),
        Figure("exchange_pages_seen_per_s", round(pages), "1/s", "higher"),
        Figure("exchange_msgs_per_core_s", round(messages_a_core), "1/s", "higher", must=10_000, aim=20_000),
        Figure("exchange_msgs_seen_per_s", round(messages), "1/s", "higher"),
    ]


def _used(server: psutil.Process) -> float:
    """Return the processor time, s, that the server has used."""
    times = server.cpu_times()
    return float(times.user + times.system)


@contextlib.contextmanager
def _exchange(setting: str, value: str) -> Iterator[tuple[str, psutil.Process]]:
    """Run an exchange on the first core while this process is on the last; yield its URL and process."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    try:
        with running_exchange(**{setting: value}) as url:
            os.sched_setaffinity(0, cores[-1:])
            yield url, psutil.Process().children()[-1]
    finally:
        os.sched_setaffinity(0, cores)


def _pages_per_s(url: str) -> float:
    client = http.client.HTTPConnection(urlsplit(url).netloc)
    began = time.monotonic()
    for page in range(_PAGES):
        start = _FROM_MS + page * _PAGE_MS
        client.request("GET", f"/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={start}&limit=1000")
        answer = client.getresponse()
        if answer.status != 200 or answer.read().count(b"],[") != 999:
            raise RuntimeError(f"page {page} was not 1,000 rows (HTTP {answer.status})")
    passed = time.monotonic() - began
    client.close()
    return _PAGES / passed


def _messages_per_s(url: str) -> float:
    """Count the trades of two symbols as they arrive, without parsing them."""
    where = urlsplit(url)
    with socket.create_connection((where.hostname or "", where.port or 0)) as connection:
        connection.sendall(
            b"GET /stream?streams=btcusdt@trade/ethusdt@trade HTTP/1.1\r\nHost: exchange\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        counted, rest = 0, b""
        began = time.monotonic()
        while time.monotonic() - began < _STREAM_SECONDS:
            text = rest + connection.recv(1 << 20)
            counted += text.count(_EVENT)
            rest = text[-len(_EVENT) + 1 :]
        return counted / (time.monotonic() - began)
