"""Exchanges that several test modules talk to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from infra.exchange.synthetic import SyntheticMarket
from tests.exchange_server import running_exchange
from tests.servers import free_port


@pytest.fixture(scope="session")
def market() -> SyntheticMarket:
    return SyntheticMarket(["BTCUSDT", "ETHUSDT"], seed=7, signal_strength=1.0, trades_per_second=20)


@pytest.fixture(scope="session")
def exchange() -> Iterator[str]:
    """Base URL of a synthetic exchange with a busy market."""
    with running_exchange(EXCHANGE_SEED="7", EXCHANGE_WEIGHT_LIMIT="100000") as url:
        yield url


@pytest.fixture(scope="session")
def rest(exchange: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=exchange, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def replay(shared_data: Path) -> Iterator[httpx.Client]:
    """A client of an exchange that replays the recorded candles at their own times, a minute a second."""
    with (
        running_exchange(REPLAY_DIR=str(shared_data / "klines"), EXCHANGE_SPEED="60") as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def with_admin() -> Iterator[tuple[httpx.Client, httpx.Client]]:
    admin_port = free_port()
    with (
        running_exchange(EXCHANGE_ADMIN_PORT=str(admin_port), EXCHANGE_SPEED="60") as url,
        httpx.Client(base_url=url, timeout=30) as client,
        httpx.Client(base_url=f"http://127.0.0.1:{admin_port}", timeout=30) as admin,
    ):
        yield client, admin


@pytest.fixture
def faulty(with_admin: tuple[httpx.Client, httpx.Client]) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Clients of an exchange without faults, a minute a second, and of its admin port."""
    yield with_admin
    with_admin[1].delete("/faults")


@pytest.fixture(scope="session")
def recordings(shared_data: Path) -> dict[str, list[dict[str, Any]]]:
    """Recorded answers of the real exchange: ``{endpoint: [{query, body}]}``."""
    return orjson.loads((shared_data / "recordings" / "binance_spot_rest.json").read_bytes())
