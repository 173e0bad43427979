"""The live path to be measured: broker and mongod for all of it, exchange and daemons for each load."""

from __future__ import annotations

import contextlib
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import SecretStr
from pymongo.database import Database

from benchmarks.programs import cpu_s
from cryptobot.settings import Settings
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import Document, connect
from infra.local import mongod
from tests.exchange.certificate import make_certificate
from tests.faults import live_servers
from tests.faults.live_market import Minute, coming_minute, trades_setting
from tests.faults.live_parts import Part, supervised
from tests.servers import free_port

PAIR = ("BTCUSDT", "ETHUSDT")
SETTLE_S = 6.0
_LEAD_S = 25.0
_LEAD_A_SYMBOL_S = 0.2


@dataclass(frozen=True)
class Servers:
    """A broker and a mongod, and where they are."""

    broker: Part
    mongod: Part
    kafka_bootstrap: str
    mongo_port: int
    folder: Path

    @contextlib.contextmanager
    def database(self, name: str = "") -> Iterator[tuple[Settings, Database[Document]]]:
        """Yield a database as the product prepares one, and settings for it; it is gone after the block."""
        settings = Settings(
            _env_file=None,
            mongo_uri=SecretStr(mongod.uri(self.mongo_port)),
            mongo_database=name or f"bench_{uuid.uuid4().hex[:8]}",
            kafka_bootstrap=self.kafka_bootstrap,
        )
        database = connect(settings)
        ensure_collections(database)
        try:
            yield settings, database
        finally:
            database.client.drop_database(settings.mongo_database)
            database.client.close()


@dataclass(frozen=True)
class Exchange:
    """A running exchange, by HTTP and, for clients that want it, by TLS."""

    part: Part
    url: str
    stream_url: str
    tls_stream_url: str
    certificate: Path
    begins_at: float

    def settle(self) -> None:
        """Wait until the load is what was asked for, and has been for a moment."""
        time.sleep(SETTLE_S + max(0.0, self.begins_at - time.time()))


@dataclass(frozen=True)
class LivePath:
    """The running path: its parts, its database, what it follows."""

    exchange: Exchange
    daemons: tuple[Part, ...]
    servers: Servers
    settings: Settings
    database: Database[Document]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All processes of the path."""
        return (self.exchange.part, *self.daemons, self.servers.broker, self.servers.mongod)


@contextlib.contextmanager
def running_servers() -> Iterator[Servers]:
    """Run a broker and a mongod, empty, on free ports, until the block ends."""
    kafka_port, mongo_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="cryptobot-streaming-") as name:
        folder = Path(name)
        broker = live_servers.broker(folder, kafka_port)
        database = live_servers.database(folder, mongo_port)
        with supervised([database, broker]):
            yield Servers(broker, database, f"127.0.0.1:{kafka_port}", mongo_port, folder)


@contextlib.contextmanager
def running_exchange(
    servers: Servers, symbols: Sequence[str], trades_per_second: float, minutes: int = 0
) -> Iterator[Exchange]:
    """Run an exchange that issues so many trades a second, of all symbols together.

    It does so for ``minutes`` from now on, as a mean; without them in the minute that
    :meth:`Exchange.settle` waits for, because minutes of the market differ.
    """
    if minutes:
        load = Minute(time.time(), trades_setting(symbols, trades_per_second, minutes))
    else:
        load = coming_minute(symbols, trades_per_second, _LEAD_S + _LEAD_A_SYMBOL_S * len(symbols))
    port, tls_port = free_port(), free_port()
    certificate, key = make_certificate(servers.folder)
    part = live_servers.exchange(
        servers.folder,
        port,
        EXCHANGE_SYMBOLS=",".join(symbols),
        EXCHANGE_TRADES_PER_SECOND=str(load.setting),
        EXCHANGE_WEIGHT_LIMIT="1000000000",
        EXCHANGE_TLS_CERT=str(certificate),
        EXCHANGE_TLS_KEY=str(key),
        EXCHANGE_TLS_PORT=str(tls_port),
    )
    with supervised([part]):
        yield Exchange(
            part,
            f"http://127.0.0.1:{port}",
            f"ws://127.0.0.1:{port}",
            f"wss://127.0.0.1:{tls_port}",
            certificate,
            load.begins_at,
        )


@contextlib.contextmanager
def running_path(
    servers: Servers,
    trades_per_second: float,
    symbols: tuple[str, ...] = PAIR,
    intervals: tuple[str, ...] = ("1m",),
    daemons: tuple[str, ...] = ("sink", "producer"),
    minutes: int = 0,
) -> Iterator[LivePath]:
    """Run exchange and daemons at a load until the block ends, into a database of their own."""
    with (
        servers.database() as (settings, database),
        running_exchange(servers, symbols, trades_per_second, minutes) as exchange,
    ):
        changed = {
            "symbols": symbols,
            "intervals": intervals,
            "signal_interval": intervals[0],
            "stream_url": exchange.stream_url,
            "rest_url": exchange.url,
        }
        settings = settings.model_copy(update=changed)
        parts = tuple(live_servers.daemon(name, settings, servers.folder) for name in daemons)
        with supervised(parts):
            yield LivePath(exchange, parts, servers, settings, database)


@dataclass(frozen=True)
class Use:
    """What a process took: percent of one core, MiB of its own memory."""

    cpu_pct: float
    memory_mb: float


class Meter:
    """Measures what processes take from its making to :meth:`read`."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._processes = {part.name: psutil.Process(part.pid) for part in parts}
        self._began = {name: cpu_s(process) for name, process in self._processes.items()}

    def read(self, seconds: float) -> dict[str, Use]:
        """Return each process's use over the ``seconds`` since the making."""
        return {
            name: Use(
                cpu_pct=100 * (cpu_s(process) - self._began[name]) / seconds,
                memory_mb=process.memory_full_info().uss / 2**20,
            )
            for name, process in self._processes.items()
        }
