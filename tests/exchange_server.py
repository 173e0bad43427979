"""A running offline exchange, for the tests of everything that talks to one."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.servers import free_port, running


@contextlib.contextmanager
def running_exchange(*, port: int | None = None, **env: str) -> Iterator[str]:
    """Run the exchange on a free port of loopback; yield its base URL, ``http://127.0.0.1:<port>``.

    ``env`` is its environment beside the port: ``EXCHANGE_SEED="7"``, ``REPLAY_DIR=...``.
    Streams are on the same port (``ws://``), and so is the archive.
    """
    port = free_port() if port is None else port
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="exchange-") as folder, running(
        [sys.executable, "-m", "infra.exchange.cli"],
        ready=lambda: httpx.get(f"{url}/api/v3/ping", timeout=2).is_success,
        log=Path(folder) / "log",
        env={"EXCHANGE_PORT": str(port), "REPLAY_DIR": "", "REPLAY_SHIFT": "", **env},
    ):
        yield url
