"""A campaign of faults against the historical job: whatever happens, the collection ends as the truth.

While the exchange storms, cuts, lags, loses, repeats, breaks and corrects rows, the driver is killed
with -9 at ten random moments; two runs work on the same range at once; then one clean run is made.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from cryptobot.market import Interval, Kline, Span
from cryptobot.market.span import dump_spans
from cryptobot.settings import ROOT, Settings
from cryptobot.storage.job_reports import find_report
from infra.local.jars import spark_jars
from tests.exchange_server import running_exchange
from tests.servers import free_port, stop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

Db = Database[dict[str, Any]]
START = datetime(2023, 5, 30, 22, 13, tzinfo=UTC)
MINUTES, HOURS = timedelta(minutes=6_000), timedelta(hours=400)
SPANS = [
    Span("BTCUSDT", Interval.MINUTE_1, START, START + MINUTES),
    Span("ETHUSDT", Interval.MINUTE_1, START, START + MINUTES),
    Span("ETHUSDT", Interval.HOUR_1, START, START + HOURS),
]
FRESH = [Span("BTCUSDT", Interval.MINUTE_15, START, START + 15 * MINUTES)]
KILLS = 10
CHUNK = 4_000
"""Candles: so few that the spans are some chunks, cut at days and across pairs, and so many that most of a
run is not their fixed cost."""

ROWS = {"missing_candles": 0.02, "corrected_candles": 0.02, "repeated_rows": 0.02, "broken_rows": 0.02}
STORMS: list[dict[str, Any]] = [
    {"status": 429, "status_share": 0.3, "retry_after_s": 1, "times": 8},
    {"status": 418, "status_share": 0.2, "retry_after_s": 1, "times": 3},
    {"status": 503, "status_share": 0.2, "times": 12},
    {"drop_share": 0.2, "times": 12},
    {"cut_share": 0.2, "archive_cut": 0.3, "times": 12},
    {"latency_ms": 60},
    {"archive_missing": 0.5, **ROWS},
    {"archive_wrong_checksum": 0.5, "unordered_rows": 0.02, **ROWS},
]


@dataclass
class Exchange:
    """An offline exchange and its faults."""

    url: str
    admin: str

    def suffer(self, **faults: Any) -> None:
        """Let these faults, and no others, happen from now on."""
        httpx.delete(f"{self.admin}/faults").raise_for_status()
        httpx.post(f"{self.admin}/faults", json=faults).raise_for_status()

    def truth(self, span: Span) -> Iterator[Kline]:
        """Yield the candles of the span, asked for page by page."""
        start_ms = span.start_ms
        while start_ms < span.end_ms:
            asked = {"symbol": span.symbol, "interval": span.interval.value, "limit": 1_000}
            asked |= {"startTime": start_ms, "endTime": span.end_ms - 1}
            rows = httpx.get(f"{self.url}/api/v3/klines", params=asked).raise_for_status().json()
            if not rows:
                return
            yield from (Kline.from_rest(span.symbol, span.interval, row) for row in rows)
            start_ms = rows[-1][0] + 1


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    port = free_port()
    with running_exchange(EXCHANGE_WEIGHT_LIMIT="1000000000", EXCHANGE_ADMIN_PORT=str(port)) as url:
        yield Exchange(url, f"http://127.0.0.1:{port}")


@dataclass
class Runs:
    """Runs of the job, each a program of its own with a log of its own."""

    settings: Settings
    exchange: Exchange
    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, report: str, source: str, spans: list[Span]) -> subprocess.Popen[bytes]:
        """Start a run, in chunks of :data:`CHUNK`, of ``spans``."""
        environment = {
            "PYSPARK_PYTHON": sys.executable,
            "CRYPTOBOT_ENV_FILE": os.devnull,
            "CRYPTOBOT_MONGO_URI": self.settings.mongo_uri.get_secret_value(),
            "CRYPTOBOT_MONGO_DATABASE": self.settings.mongo_database,
            "CRYPTOBOT_REST_URL": self.exchange.url,
            "CRYPTOBOT_ARCHIVE_URL": self.exchange.url,
            "CRYPTOBOT_SPARK_JARS": ",".join(map(str, spark_jars())),
        }
        command = [sys.executable, str(ROOT / "spark_jobs" / "historical_data.py"), "--report", report]
        command += ["--spans", dump_spans(spans), "--source", source, "--chunk", str(CHUNK)]
        with (self.folder / report).open("wb") as log:
            run = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(run)
        return run

    def finish(self, report: str, run: subprocess.Popen[bytes]) -> None:
        """Wait for a run that is to succeed."""
        assert run.wait(600) == 0, (self.folder / report).read_text()[-3_000:]


def kill(run: subprocess.Popen[bytes], after: float) -> bool:
    """Kill driver and JVM with -9 after so many seconds; tell whether they were still at work."""
    with suppress(subprocess.TimeoutExpired):
        run.wait(after)
        return False
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return True


@pytest.fixture
def runs(app_settings: Settings, exchange: Exchange, tmp_path: Path) -> Iterator[Runs]:
    made = Runs(app_settings, exchange, tmp_path)
    yield made
    for run in made.started:
        stop(run)


def test_after_all_faults_the_collection_is_the_truth(database: Db, exchange: Exchange, runs: Runs) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"the seed of this campaign is {seed}")
    chosen = random.Random(seed)
    asked = {kline.key: kline for span in SPANS for kline in exchange.truth(span)}
    truth = asked | {kline.key: kline for span in FRESH for kline in exchange.truth(span)}

    began = time.monotonic()
    # No waits that the exchange names: they would move every later kill. Refusing rows takes so long that
    # this run outlasts a calm one of all spans (43 s to 30 s when measured), hence the 0.8.
    exchange.suffer(seed=seed, repeated_rows=0.02, broken_rows=0.02, **STORMS[2])
    runs.finish("first", runs.start("first", "rest", SPANS[:1]))
    length = (time.monotonic() - began) * 0.8

    killed = started = 0
    while killed < KILLS:
        exchange.suffer(seed=seed + started, **STORMS[started % len(STORMS)])
        source = "auto" if started % 2 else "rest"
        moment = length * (killed + chosen.random()) / KILLS
        alive = kill(runs.start(f"killed {started}", source, SPANS), moment)
        killed += alive
        length = length if alive else moment * 0.8  # it ended before: the machine is faster by now
        started += 1
        assert started < 2 * KILLS, "runs end before they can be killed"

    exchange.suffer(seed=seed, latency_ms=20)
    together = {name: runs.start(name, name, FRESH) for name in ("auto", "rest")}
    for name, run in together.items():
        runs.finish(name, run)

    exchange.suffer()
    runs.finish("clean", runs.start("clean", "auto", SPANS))
    assert_truth(database, truth)
    assert_consistent(database)
    report = find_report(database, "clean")
    assert report is not None
    assert (report["rows"], report["stored"], report["missing"]) == (len(asked), len(asked), 0)


def assert_truth(database: Db, truth: dict[str, Kline]) -> None:
    """Assert that the collection holds each candle once, each field as the exchange has it."""
    stored = {document["_id"]: document for document in database["historical_data"].find()}
    assert stored.keys() == truth.keys()
    wrong = [
        (key, name)
        for key, kline in truth.items()
        for name in Kline.__slots__
        if stored[key][name] != getattr(kline, name)
    ]
    assert wrong == []


def assert_consistent(database: Db) -> None:
    """Assert that what went wrong on the way is on record, and settled."""
    assert database["gaps"].distinct("state") in ([], ["repaired"])
    assert database["quarantine"].distinct("state") == ["resolved"]
    for correction in database["corrections"].find():
        before, after = correction["before"], correction["after"]
        assert any(before[name] != after[name] for name in ("trades", "close", "volume", "close_time"))
