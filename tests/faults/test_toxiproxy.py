"""The proxy spoils what flows through it, as asked, and no longer than asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.exchange_server import running_exchange
from tests.faults.toxiproxy import Proxy, Toxiproxy


@pytest.fixture
def proxy(toxiproxy: Toxiproxy) -> Iterator[Proxy]:
    with running_exchange() as url:
        yield toxiproxy.proxy("exchange", urlsplit(url).port or 0)


def test_what_flows_is_spoilt_until_the_block_ends(proxy: Proxy) -> None:
    assert ping(proxy) < 0.3
    with proxy.toxic("latency", latency=400):
        assert ping(proxy) >= 0.4
    with proxy.down(), pytest.raises(httpx.ConnectError):
        ping(proxy)
    with proxy.toxic("reset_peer", timeout=0), pytest.raises(httpx.TransportError):
        ping(proxy)
    with proxy.toxic("timeout", timeout=0), pytest.raises(httpx.ReadTimeout):
        ping(proxy)
    assert ping(proxy) < 0.3


def ping(proxy: Proxy) -> float:
    began = time.monotonic()
    httpx.get(f"http://127.0.0.1:{proxy.port}/api/v3/ping", timeout=1).raise_for_status()
    return time.monotonic() - began
