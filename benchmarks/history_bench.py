"""Where history is measured: an exchange without a limit and a mongod, with a range to be brought."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
from pydantic import SecretStr
from pymongo.database import Database

from benchmarks.history_job import Servers
from cryptobot.market import Interval, Span
from cryptobot.settings import Settings
from cryptobot.storage.collections import ensure_collections
from cryptobot.storage.database import Document, connect
from infra.local import mongod
from tests.exchange_server import running_exchange
from tests.servers import free_port, running

CANDLES = int(os.environ.get("BENCH_CANDLES", "1000000"))
"""How many candles, of two symbols together; fewer make a quicker, rougher measurement."""

_SYMBOLS = ("BTCUSDT", "ETHUSDT")
_START = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Bench:
    """Running servers, the ranges to be brought, and how to reach a database of one's own."""

    servers: Servers
    mongo_uri: str
    exchange_url: str
    spans: list[Span]
    folder: Path

    @property
    def rows(self) -> int:
        """How many candles the ranges hold; the synthetic market has no holes."""
        return sum((span.end_ms - span.start_ms) // span.interval.milliseconds for span in self.spans)

    @contextlib.contextmanager
    def database(self, name: str) -> Iterator[tuple[Settings, Database[Document]]]:
        """Yield a database as the product prepares one, empty, and gone after the block."""
        settings = Settings(
            _env_file=None,
            mongo_uri=SecretStr(self.mongo_uri),
            mongo_database=name,
            rest_url=self.exchange_url,
            archive_url=self.exchange_url,
        )
        database = connect(settings)
        ensure_collections(database)
        try:
            yield settings, database
        finally:
            database.client.drop_database(name)
            database.client.close()


@contextlib.contextmanager
def running_bench() -> Iterator[Bench]:
    """Yield the servers, on free ports and in folders of their own, and the ranges; stop them after."""
    days = -(-CANDLES // (len(_SYMBOLS) * 1_440))
    spans = [Span(symbol, Interval.MINUTE_1, _START, _START + timedelta(days=days)) for symbol in _SYMBOLS]
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="cryptobot-historical-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        with (
            running(
                mongod.command(port, folder / "data"),
                ready=lambda: mongod.initiate(port),
                log=folder / "mongod.log",
            ) as database,
            running_exchange(EXCHANGE_WEIGHT_LIMIT="1000000000", EXCHANGE_CACHE_MB="1024") as url,
        ):
            exchange = next(child for child in psutil.Process().children() if child.pid != database.pid)
            servers = Servers(psutil.Process(database.pid), exchange)
            yield Bench(servers, mongod.uri(port), url, spans, folder)


def warm(bench: Bench) -> None:
    """Have the exchange prepare all that it will be asked for: it stands for a server elsewhere."""
    with httpx.Client(base_url=bench.exchange_url, timeout=60) as client:
        for span in bench.spans:
            for start_ms in range(span.start_ms, span.end_ms, 1_000 * span.interval.milliseconds):
                query = f"symbol={span.symbol}&interval=1m&startTime={start_ms}&limit=1000"
                client.get(f"/api/v3/klines?{query}").raise_for_status()
            months = {span.start + timedelta(days=day) for day in range((span.end - span.start).days)}
            names = {f"monthly/klines/{span.symbol}/1m/{span.symbol}-1m-{day:%Y-%m}" for day in months}
            names |= {
                f"daily/klines/{span.symbol}/1m/{span.symbol}-1m-{day:%Y-%m-%d}"
                for day in months
                if (day.year, day.month) == (span.end.year, span.end.month)
            }
            for name in sorted(names):
                client.get(f"/data/spot/{name}.zip.CHECKSUM").raise_for_status()
