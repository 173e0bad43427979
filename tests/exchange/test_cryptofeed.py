"""cryptofeed, from an environment of its own, over TLS (it takes only ``wss://``)."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.exchange import environments
from tests.exchange.certificate import make_certificate
from tests.exchange_server import running_exchange
from tests.servers import free_port, stop, wait_until

REQUIREMENTS = ("cryptofeed==2.4.1", "uvloop<0.22")  # later ones make no event loop where it asks for one
SCRIPT = Path(__file__).with_name("cryptofeed_client.py")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def interpreter() -> Path:
    """The python of an environment that holds cryptofeed and what it needs."""
    return environments.interpreter("cryptofeed", REQUIREMENTS)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for loopback, signed by its own key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_cryptofeed_reads_trades_candles_and_quotes(
    interpreter: Path, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    cert, key = certificate
    tls_port = free_port()
    settings = {
        "EXCHANGE_TLS_CERT": str(cert),
        "EXCHANGE_TLS_KEY": str(key),
        "EXCHANGE_TLS_PORT": str(tls_port),
    }
    output = tmp_path / "output"
    with running_exchange(**settings) as url, output.open("wb") as lines:
        client = subprocess.Popen(
            [interpreter, SCRIPT, url, f"wss://127.0.0.1:{tls_port}"],
            stdout=lines,
            stderr=subprocess.STDOUT,
            env={**os.environ, "SSL_CERT_FILE": str(cert), "HOME": str(tmp_path)},
            cwd=tmp_path,
            start_new_session=True,
        )
        try:
            wait_until(
                lambda: enough(read(output)) or client.poll() is not None,
                limit=120,
                what="cryptofeed's events",
            )
        finally:
            stop(client)
    got = read(output)
    assert enough(got), output.read_text()[-3_000:]
    for symbol in ("BTC-USDT", "ETH-USDT"):
        ids = [one["id"] for one in got["trade"] if one["symbol"] == symbol]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert {one["interval"] for one in got["candle"] if one["symbol"] == symbol} == {"1m"}
    assert all(one["ask"] > one["bid"] for one in got["ticker"])


def read(output: Path) -> dict[str, list[dict[str, Any]]]:
    found = defaultdict(list)
    for line in output.read_text().splitlines():
        if line.startswith("{") and line.endswith("}"):
            event = json.loads(line)
            found[event["kind"]].append(event)
    return found


def enough(got: dict[str, list[dict[str, Any]]]) -> bool:
    return len(got["trade"]) > 500 and len(got["candle"]) > 4 and len(got["ticker"]) > 100
