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
def running_exchange(**env: str) -> Iterator[str]:
    """Run the exchange on loopback; yield its base URL, ``http://127.0.0.1:<port>``.

    ``env`` is its environment: ``EXCHANGE_SEED="7"``, ``REPLAY_DIR=...``; without
    ``EXCHANGE_PORT`` a free port is taken. Streams (``ws://``) and the archive are on the same
    port. Nothing of the caller's own exchange settings is taken over.
    """
    settings = {
        "EXCHANGE_PORT": str(free_port()),
        "REPLAY_DIR": "",
        "REPLAY_SHIFT": "",
        "EXCHANGE_SPEED": "",
        **env,
    }
    url = f"http://127.0.0.1:{settings['EXCHANGE_PORT']}"
    with (
        tempfile.TemporaryDirectory(prefix="exchange-") as folder,
        running(
            [sys.executable, "-m", "infra.exchange.cli"],
            ready=lambda: httpx.get(f"{url}/api/v3/ping", timeout=2).is_success,
            log=Path(folder) / "log",
            env=settings,
        ),
    ):
        yield url
