"""cryptofeed beside the product: the same exchange's trades, by its Kafka and its MongoDB backend."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import psutil
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from benchmarks.programs import cpu_s
from benchmarks.streaming_load import SECONDS
from benchmarks.streaming_path import PAIR, SETTLE_S, Exchange, Servers, running_exchange
from cryptobot.market.instant import to_ms
from tests.exchange import environments
from tests.servers import stop, wait_until

_REQUIREMENTS = ("cryptofeed==2.4.1", "uvloop<0.22", "aiokafka==0.12.0", "motor==3.7.1")
_SCRIPT = Path(__file__).with_name("cryptofeed_feed.py")
_TOPICS = ("trades-BINANCE-BTC-USDT", "trades-BINANCE-ETH-USDT")
_READ_EVERY_S = 0.01


@dataclass(frozen=True)
class Peer:
    """What cryptofeed did with a feed: aggregates a second issued and arrived, p99 of their age, its own use.

    It reads aggregated trades (``aggTrade``): fewer events than the trades that the product reads.
    """

    issued_per_s: float
    arrived_per_s: float
    latency_p99_ms: float
    cpu_pct: float
    memory_mb: float


def into_kafka(servers: Servers, trades_per_second: float) -> Peer:
    """Measure its Kafka backend, read by a consumer."""
    admin = KafkaAdminClient(bootstrap_servers=servers.kafka_bootstrap)
    if missing := set(_TOPICS) - set(admin.list_topics()):
        admin.create_topics([NewTopic(name, 1, 1) for name in sorted(missing)])
    admin.close()
    consumer = KafkaConsumer(bootstrap_servers=servers.kafka_bootstrap, fetch_max_wait_ms=10)
    parts = [TopicPartition(name, 0) for name in _TOPICS]
    consumer.assign(parts)
    consumer.seek_to_end()

    def read() -> list[float]:
        polled = consumer.poll(timeout_ms=10, max_records=20_000)
        return [
            orjson.loads(record.value)["timestamp"] * 1_000
            for records in polled.values()
            for record in records
        ]

    try:
        return _measure(servers, trades_per_second, ["kafka", servers.kafka_bootstrap], read)
    finally:
        consumer.close()


def into_mongodb(servers: Servers, trades_per_second: float) -> Peer:
    """Measure its MongoDB backend, read by what was inserted since the last look."""
    with servers.database() as (settings, database):
        trades, last = database["trades"], None

        def read() -> list[float]:
            nonlocal last
            time.sleep(_READ_EVERY_S)
            query: dict[str, Any] = {"_id": {"$gt": last}} if last else {}
            found = list(trades.find(query, {"timestamp": 1}).sort("_id"))
            if found:
                last = found[-1]["_id"]
            return [float(to_ms(trade["timestamp"])) for trade in found]

        address = ["mongo", f"127.0.0.1:{servers.mongo_port}", settings.mongo_database]
        return _measure(servers, trades_per_second, address, read)


def _measure(
    servers: Servers, trades_per_second: float, backend: list[str], read: Callable[[], list[float]]
) -> Peer:
    with _running(servers, trades_per_second, backend) as (exchange, process):
        wait_until(read, limit=60, what=f"cryptofeed's first trades, see {servers.folder}/cryptofeed.log")
        settled = max(time.time(), exchange.begins_at) + SETTLE_S
        while time.time() < settled:
            read()
        ages: list[float] = []
        issued, used, began = _issued(exchange), cpu_s(process), time.monotonic()
        while (passed := time.monotonic() - began) < SECONDS:
            times = read()
            now_ms = time.time() * 1_000
            ages += [now_ms - at for at in times]
        return Peer(
            issued_per_s=(_issued(exchange) - issued) / passed,
            arrived_per_s=len(ages) / passed,
            latency_p99_ms=float(np.percentile(ages, 99)) if ages else float("inf"),
            cpu_pct=100 * (cpu_s(process) - used) / passed,
            memory_mb=process.memory_full_info().uss / 2**20,
        )


def _issued(exchange: Exchange) -> int:
    """Return how many aggregates of both symbols were issued; only differences mean something."""
    newest = [
        httpx.get(f"{exchange.url}/api/v3/aggTrades", params={"symbol": symbol, "limit": 1}).json()
        for symbol in PAIR
    ]
    return sum(page[-1]["a"] for page in newest)


@contextlib.contextmanager
def _running(
    servers: Servers, trades_per_second: float, backend: list[str]
) -> Iterator[tuple[Exchange, psutil.Process]]:
    python = environments.interpreter("cryptofeed-backends", _REQUIREMENTS)
    log = servers.folder / "cryptofeed.log"
    with running_exchange(servers, PAIR, trades_per_second) as exchange, log.open("wb") as output:
        process = subprocess.Popen(
            [python, _SCRIPT, exchange.url, exchange.tls_stream_url, *backend],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "SSL_CERT_FILE": str(exchange.certificate), "HOME": str(servers.folder)},
            cwd=servers.folder,
            start_new_session=True,
        )
        try:
            yield exchange, psutil.Process(process.pid)
        finally:
            stop(process)
