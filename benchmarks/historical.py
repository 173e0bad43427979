"""History into MongoDB: both sources of the job, a plain loop and freqtrade on the same exchange.

The exchange's own limit is lifted, so that the product is measured; what that limit would ask for is
said beside it. Everything runs on one machine: the exchange and mongod take their share of its cores.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks import freqtrade
from benchmarks.figures import Figure
from benchmarks.history_bench import Bench, running_bench, warm
from benchmarks.history_job import Run, submit
from benchmarks.programs import Usage, watch
from cryptobot.market.span import dump_spans
from cryptobot.storage.collections import HISTORICAL_DATA
from tests.exchange.environments import EnvironmentUnavailableError

_LIMIT_ROWS_PER_S = 50_000
"""What the exchange allows by REST: 6,000 weight a minute, 2 a request, 1,000 rows each."""


def run() -> list[Figure]:
    """Measure both sources and their peers, one after another."""
    with running_bench() as bench:
        warm(bench)
        print(f"{bench.rows:,} candles are ready at the exchange", flush=True)
        rest, rest_again = _job(bench, "rest")
        archive, archive_again = _job(bench, "archive")
        loop_rows_per_s, loop = _plain_loop(bench)
        print(f"plain loop: {loop_rows_per_s:,.0f} rows/s", flush=True)
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


def _job(bench: Bench, source: str) -> tuple[Run, Run]:
    """Bring the ranges into an empty collection, and the same ranges again, which changes nothing."""
    with bench.database(f"by_{source}") as (settings, database):
        first = submit(settings, database, bench.spans, source, bench.servers)
        print(f"{source}: {first.rows_per_s:,.0f} rows/s", flush=True)
        again = submit(settings, database, bench.spans, source, bench.servers)
        print(f"{source} again: {again.rows_per_s:,.0f} rows/s", flush=True)
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
