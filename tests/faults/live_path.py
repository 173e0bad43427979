"""The whole live path with a proxy between every two parts, and all that can go wrong with it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from pymongo.database import Database

from cryptobot.settings import Settings
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import connect
from infra.local import mongod
from tests.faults import live_servers
from tests.faults.live_market import trades_setting
from tests.faults.live_parts import Part, supervised
from tests.faults.toxiproxy import Proxy, Toxiproxy
from tests.servers import free_port

SYMBOLS = ("BTCUSDT", "ETHUSDT")
INTERVALS = ("1s", "1m")
REST = "exchange-producer REST"
_MINUTES = 6
"""A campaign's length, by which the market's business is measured."""
_SHARES = {"processes": 0.4, "connections": 0.3, "repair": 0.1, "exchange": 0.2}
"""Of which kind the faults of a campaign are."""


@dataclass(frozen=True)
class Fault:
    """Something that can happen: ``begin`` is entered when it does, and left when it is over."""

    name: str
    begin: Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class LivePath:
    """Exchange, producer, broker, sink and mongod, each behind a proxy to whoever talks to it."""

    exchange: Part
    producer: Part
    broker: Part
    sink: Part
    mongod: Part
    proxies: dict[str, Proxy]
    database: Database[dict[str, Any]]
    exchange_url: str
    admin_url: str

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, servers first."""
        return self.mongod, self.broker, self.exchange, self.sink, self.producer

    def faults(self) -> dict[str, list[Fault]]:
        """Return what can happen, by where: to processes, between them, at the exchange."""
        processes = [self.producer, self.sink, self.broker, self.mongod]
        return {
            "processes": [
                Fault(f"{part.name} {how}", getattr(part, how))
                for part in processes
                for how in ("killed", "paused", "stopped")
            ],
            "connections": [
                Fault(f"{name}: {kind}", begin)
                for name, proxy in self.proxies.items()
                for kind, begin in _spoilt(proxy).items()
                if name != REST
            ],
            "repair": [
                Fault(f"{REST}: {kind}, after a hole", partial(self._while_holes_are_filled, begin))
                for kind, begin in _spoilt(self.proxies[REST]).items()
            ],
            "exchange": [
                Fault("exchange killed", self.exchange.killed),
                Fault("exchange restarted (serverShutdown)", self.exchange.stopped),
                Fault("exchange drops all streams", self._drops),
                Fault("exchange repeats closed candles", partial(self._wrong, repeated_candles=1.0)),
                Fault("exchange sends out of order", partial(self._wrong, out_of_order=True)),
                Fault("exchange sends broken messages", partial(self._wrong, broken_share=0.05)),
                Fault("exchange drops streams, REST refuses", self._drops_and_refuses),
            ],
        }

    def draw(self, chosen: random.Random, count: int) -> list[Fault]:
        """Return so many different faults in a random order, of each group its share."""
        groups = self.faults()
        drawn = [
            fault
            for name, share in _SHARES.items()
            for fault in chosen.sample(groups[name], min(round(count * share), len(groups[name])))
        ]
        chosen.shuffle(drawn)
        return drawn

    @contextlib.contextmanager
    def _drops(self) -> Iterator[None]:
        httpx.post(f"{self.admin_url}/drop").raise_for_status()
        yield
        httpx.post(f"{self.admin_url}/drop").raise_for_status()

    @contextlib.contextmanager
    def _while_holes_are_filled(self, begin: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
        with begin(), self._drops():
            yield

    @contextlib.contextmanager
    def _drops_and_refuses(self) -> Iterator[None]:
        with self._wrong(status=503, status_share=0.5, drop_share=0.2), self._drops():
            yield

    @contextlib.contextmanager
    def _wrong(self, **faults: float) -> Iterator[None]:
        httpx.post(f"{self.admin_url}/faults", json=faults).raise_for_status()
        try:
            yield
        finally:
            httpx.delete(f"{self.admin_url}/faults").raise_for_status()


@contextlib.contextmanager
def running_live_path(folder: Path, toxiproxy: Toxiproxy, trades_per_second: float) -> Iterator[LivePath]:
    """Run the path at so many trades a second until the block ends."""
    ports = {name: free_port() for name in ("exchange", "admin", "broker", "producer", "sink", "mongod")}
    upstreams = {
        "exchange-producer stream": "exchange",
        REST: "exchange",
        "producer-kafka": "producer",
        "kafka-sink": "sink",
        "sink-mongod": "mongod",
        "producer-mongod": "mongod",
    }
    proxies = {
        name: toxiproxy.proxy(name.replace(" ", "-"), ports[upstream]) for name, upstream in upstreams.items()
    }
    settings = Settings(
        _env_file=None,
        mongo_uri=SecretStr(mongod.uri(ports["mongod"])),
        mongo_database="faults",
        symbols=SYMBOLS,
        intervals=INTERVALS,
        signal_interval="1m",
        stream_url=f"ws://127.0.0.1:{proxies['exchange-producer stream'].port}",
        rest_url=f"http://127.0.0.1:{proxies[REST].port}",
    )
    listeners = {
        "producer": (ports["producer"], proxies["producer-kafka"].port),
        "sink": (ports["sink"], proxies["kafka-sink"].port),
    }
    env = {
        "EXCHANGE_TRADES_PER_SECOND": str(trades_setting(SYMBOLS, trades_per_second, _MINUTES)),
        "EXCHANGE_ADMIN_PORT": str(ports["admin"]),
    }
    path = LivePath(
        exchange=live_servers.exchange(folder, ports["exchange"], **env),
        broker=live_servers.broker(folder, ports["broker"], listeners),
        mongod=live_servers.database(folder, ports["mongod"]),
        producer=_daemon("producer", settings, folder, proxies["producer-kafka"], proxies["producer-mongod"]),
        sink=_daemon("sink", settings, folder, proxies["kafka-sink"], proxies["sink-mongod"]),
        proxies=proxies,
        database=connect(settings),
        exchange_url=f"http://127.0.0.1:{ports['exchange']}",
        admin_url=f"http://127.0.0.1:{ports['admin']}",
    )
    with supervised(path.parts), path.database.client:
        yield path


def _daemon(name: str, settings: Settings, folder: Path, broker: Proxy, database: Proxy) -> Part:
    changed = {
        "kafka_bootstrap": f"127.0.0.1:{broker.port}",
        "mongo_uri": SecretStr(f"mongodb://127.0.0.1:{database.port}/?directConnection=true"),
    }
    return live_servers.daemon(name, settings.model_copy(update=changed), folder)


def prepare(path: LivePath) -> None:
    """Create the collections, as Airflow or the first sink does."""
    ensure_collections(path.database)


def _spoilt(proxy: Proxy) -> dict[str, Callable[[], AbstractContextManager[None]]]:
    return {
        "latency": partial(proxy.toxic, "latency", latency=300, jitter=200),
        "reset": partial(proxy.toxic, "reset_peer", timeout=200),
        "down": proxy.down,
        "silent": partial(proxy.toxic, "timeout", timeout=0),
        "cut off upwards": partial(proxy.toxic, "timeout", stream="upstream", timeout=500),
        "slow": partial(proxy.toxic, "bandwidth", rate=40),
        "sliced": partial(proxy.toxic, "slicer", average_size=200, size_variation=100, delay=2_000),
    }
