"""The parts of the live path: exchange, broker, mongod and daemons, each on ports and files of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from cryptobot.market.topics import PARTITIONS
from cryptobot.settings import Settings
from infra.local import kafka, mongod
from tests.faults.live_parts import Part
from tests.servers import free_port
from tests.streaming.conftest import environment

_MARKET_READY_S = 300.0
"""A market of hundreds of symbols takes its time to be made."""


def exchange(folder: Path, port: int, **env: str) -> Part:
    """Return an offline exchange; ``env`` is its environment, such as ``EXCHANGE_ADMIN_PORT``."""
    unset = {"REPLAY_DIR": "", "REPLAY_SHIFT": "", "EXCHANGE_SPEED": ""}
    return Part(
        "exchange",
        [sys.executable, "-m", "infra.exchange.cli"],
        folder / "exchange.log",
        lambda: httpx.get(f"http://127.0.0.1:{port}/api/v3/ping", timeout=2).is_success,
        {**unset, "EXCHANGE_PORT": str(port), **env},
        _MARKET_READY_S,
    )


def broker(folder: Path, port: int, proxied: Mapping[str, tuple[int, int]] | None = None) -> Part:
    """Return a broker with the product's topics, which has a listener for each of ``proxied``."""
    kafka.configure(folder / "kafka", port, free_port(), proxied)

    def ready() -> bool:
        admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}", bootstrap_timeout_ms=1_000)
        try:
            if missing := set(PARTITIONS) - set(admin.list_topics()):
                admin.create_topics([NewTopic(name, PARTITIONS[name], 1) for name in sorted(missing)])
        finally:
            admin.close()
        return True

    return Part("broker", kafka.command(folder / "kafka"), folder / "kafka.log", ready)


def database(folder: Path, port: int, cache_gb: float = 0.5) -> Part:
    """Return a mongod, a replica set of one."""
    data = folder / "mongod"
    data.mkdir(parents=True, exist_ok=True)
    command = mongod.command(port, data, cache_gb)
    return Part("mongod", command, folder / "mongod.log", lambda: mongod.initiate(port))


def daemon(name: str, settings: Settings, folder: Path, **env: str) -> Part:
    """Return the daemon ``streaming.<name>`` with these settings, and more of them in ``env``."""
    log = folder / f"{name}.log"
    return Part(
        name,
        [sys.executable, "-c", f"from streaming.{name} import main; main()"],
        log,
        lambda: b"INFO" in log.read_bytes(),
        environment(settings) | env,
    )
