"""History into MongoDB: both sources of the job, a plain loop and freqtrade on the same exchange.

The exchange's own limit is lifted, so that the product is measured; what that limit would ask for is
said beside it. Everything runs on one machine: the exchange and mongod take their share of its cores.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
from pydantic import SecretStr
from pymongo.database import Database

from benchmarks import freqtrade
from benchmarks.figures import Figure
from benchmarks.history_job import Run, Servers, submit
from benchmarks.programs import Usage, watch
from cryptobot.market import Interval, Span
from cryptobot.market.span import dump_spans
from cryptobot.settings import Settings
from cryptobot.storage.collections import HISTORICAL_DATA, ensure_collections
from cryptobot.storage.database import Document, connect
from infra.local import mongod
from tests.exchange.environments import EnvironmentUnavailableError
from tests.exchange_server import running_exchange
from tests.servers import free_port, running

CANDLES = int(os.environ.get("BENCH_CANDLES", "1000000"))
"""How many candles, of two symbols together; fewer make a quicker, rougher measurement."""

_SYMBOLS = ("BTCUSDT", "ETHUSDT")
_START = datetime(2024, 1, 1, tzinfo=UTC)
_LIMIT_ROWS_PER_S = 50_000
"""What the exchange allows by REST: 6,000 weight a minute, 2 a request, 1,000 rows each."""


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


def run() -> list[Figure]:
    """Measure both sources and their peers, one after another."""
    with _bench() as bench:
        _warm(bench)
        rest, rest_again = _job(bench, "rest")
        archive, archive_again = _job(bench, "archive")
        loop_rows_per_s, loop = _plain_loop(bench)
        figures = [
            Figure(
                "rest_rows_per_s", round(rest.rows_per_s), "rows/s", "higher", must=20_000, aim=33_000,
                peer="plain loop", peer_value=round(loop_rows_per_s),
            ),
            Figure(
                "archive_rows_per_s", round(archive.rows_per_s), "rows/s", "higher",
                must=40_000, aim=60_000, peer="plain loop by REST", peer_value=round(loop_rows_per_s),
            ),
            Figure("rest_again_rows_per_s", round(rest_again.rows_per_s), "rows/s", "higher"),
            Figure("archive_again_rows_per_s", round(archive_again.rows_per_s), "rows/s", "higher"),
            Figure("rest_to_plain_loop", round(rest.rows_per_s / loop_rows_per_s, 2), "x", "higher"),
            Figure("archive_to_plain_loop", round(archive.rows_per_s / loop_rows_per_s, 2), "x", "higher"),
            Figure("rest_s", round(bench.rows / rest.rows_per_s, 1), "s", "lower"),
            Figure("rest_at_the_exchanges_limit_s", round(bench.rows / _LIMIT_ROWS_PER_S, 1), "s", "lower"),
            *_used("rest", rest, loop),
            *_used("archive", archive, loop),
            *_freqtrade(bench, rest),
        ]  # fmt: skip
    return figures


@contextlib.contextmanager
def _bench() -> Iterator[Bench]:
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


def _warm(bench: Bench) -> None:
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


def _job(bench: Bench, source: str) -> tuple[Run, Run]:
    """Bring the ranges into an empty collection, and the same ranges again, which changes nothing."""
    with bench.database(f"by_{source}") as (settings, database):
        first = submit(settings, database, bench.spans, source, bench.servers)
        again = submit(settings, database, bench.spans, source, bench.servers)
        held = database[HISTORICAL_DATA].count_documents({})
    counts = {"rows": bench.rows, "held": bench.rows, "inserted": bench.rows, "again": bench.rows}
    found = {
        "rows": first.report["rows"],
        "held": held,
        "inserted": first.report["inserted"],
        "again": again.report["unchanged"],
    }
    if found != counts:
        raise RuntimeError(f"the job by {source} lost or invented candles: {found} instead of {counts}")
    return first, again


def _plain_loop(bench: Bench) -> tuple[float, Usage]:
    """Return the plain loop's rows a second into an empty collection, and what it used."""
    with bench.database("by_plain_loop") as (settings, database):
        command = [
            sys.executable, "-m", "benchmarks.plain_loop", bench.exchange_url, bench.mongo_uri,
            settings.mongo_database, dump_spans(bench.spans),
        ]  # fmt: skip
        program = watch(command)
        held = database[HISTORICAL_DATA].count_documents({})
    if held != bench.rows:
        raise RuntimeError(f"the plain loop brought {held} candles instead of {bench.rows}")
    return bench.rows / float(program.text), program.usage


def _freqtrade(bench: Bench, rest: Run) -> list[Figure]:
    """Return freqtrade's figures; none, and why, where it cannot be installed."""
    try:
        seconds, usage = freqtrade.download(bench.exchange_url, bench.spans, bench.folder)
    except EnvironmentUnavailableError as error:
        print(f"without freqtrade: {error}")
        return []
    rows_per_s = bench.rows / seconds
    return [
        Figure("freqtrade_rows_per_s", round(rows_per_s), "rows/s", "higher"),
        Figure("freqtrade_memory_mb", round(usage.peak_mb), "MiB", "lower"),
        Figure("rest_to_freqtrade", round(rest.rows_per_s / rows_per_s, 2), "x", "higher"),
    ]


def _used(name: str, job: Run, loop: Usage) -> Sequence[Figure]:
    """Return the memory of a run, and who took how much of the cores."""
    by_program = job.usage.cpu_s()
    java = by_program.pop("java", 0.0)
    return [
        Figure(
            f"{name}_memory_mb", round(job.usage.peak_mb), "MiB", "lower",
            peer="plain loop", peer_value=round(loop.peak_mb),
        ),
        Figure(f"{name}_cpu_jvm_s", round(java, 1), "s", "lower"),
        Figure(f"{name}_cpu_python_s", round(sum(by_program.values()), 1), "s", "lower"),
        Figure(f"{name}_cpu_mongod_s", round(job.mongod_s, 1), "s", "lower"),
        Figure(f"{name}_cpu_exchange_s", round(job.exchange_s, 1), "s", "lower"),
    ]  # fmt: skip
