"""Swaps of champions under load: how soon every worker serves the new one, and what fails meanwhile.

Each tenth bundle is bad, in all the ways that there are, and is rolled back as soon as it is quarantined.
An answer is a failure when it is no 200, when its connection broke, or when it is not throughout what the
version that it names answers. In the end mongod is silent for a minute, under the same load.
"""

from __future__ import annotations

import os
import signal
import time
from itertools import cycle

import numpy as np
from pymongo.change_stream import ChangeStream

from benchmarks.figures import Figure
from benchmarks.served_api import SYMBOL, WORKERS, Model, ServedApi, add, running_api, trained
from cryptobot.serving import registry
from cryptobot.storage.collections import SERVICE_HEALTH
from cryptobot.storage.database import Document
from tests.api.load import Load
from tests.api.workers import BODIES, Oracle, connection
from tests.servers import wait_until
from tests.serving.bad_bundles import BAD

SWAPS = int(os.environ.get("BENCH_SWAPS", "200"))
CLIENTS = 2
EACH_BAD = 10
AWAY_S = float(os.environ.get("BENCH_AWAY_SECONDS", "60"))
_LIMIT_S = 60.0


def run() -> list[Figure]:
    """Swap under load, and return how long it took and what failed."""
    models, oracle = [trained(seed) for seed in range(2)], Oracle()
    with running_api() as api:
        good = _add(api, oracle, models[0], 0)
        registry.promote(api.database, SYMBOL, good, "a benchmark")
        api.await_served(good)
        with Load(lambda: connection(api.settings), BODIES, oracle.fault, CLIENTS) as load:
            wait_until(lambda: load.answered > 100, limit=_LIMIT_S, what="answers")
            load.forget_latencies()
            began, converged_s, bad = time.monotonic(), [], cycle(BAD.values())
            for number in range(1, SWAPS + 1):
                if number % EACH_BAD == 0:
                    _refused(api, next(bad)[0](api.database, number))
                    continue
                version = _add(api, oracle, models[number % len(models)], number)
                converged_s.append(_swapped(api, version))
            passed = time.monotonic() - began
        with Load(lambda: connection(api.settings), BODIES, oracle.fault, CLIENTS) as away:
            _silence_mongod(api)
    for fault in (load.faults + away.faults)[:5]:
        print(fault, flush=True)
    p50, p99 = np.percentile(converged_s, (50, 99)) * 1_000
    latency_p50, latency_p99, longest = np.percentile(load.latencies_s, (50, 99, 100)) * 1_000
    away_p99, away_longest = np.percentile(away.latencies_s, (99, 100)) * 1_000
    return [
        Figure("converge_p99_ms", round(p99), "ms", "lower", must=2_000, aim=300),
        Figure("failed_requests", len(load.faults) + load.broken, "requests", "lower", must=0, aim=0),
        Figure("converge_p50_ms", round(p50), "ms", "lower"),
        Figure("swaps", len(converged_s), "swaps", "higher"),
        Figure("bad_bundles", SWAPS - len(converged_s), "bundles", "higher"),
        Figure("requests_answered", load.answered, "requests", "higher"),
        Figure("requests_per_s", round(load.answered / passed), "1/s", "higher"),
        Figure("request_p50_ms", round(latency_p50, 2), "ms", "lower"),
        Figure("request_p99_ms", round(latency_p99, 2), "ms", "lower"),
        Figure("request_longest_ms", round(longest, 1), "ms", "lower"),
        Figure("away_failed_requests", len(away.faults) + away.broken, "requests", "lower", must=0, aim=0),
        Figure("away_requests_answered", away.answered, "requests", "higher"),
        Figure("away_request_p99_ms", round(away_p99, 2), "ms", "lower"),
        Figure("away_request_longest_ms", round(away_longest, 1), "ms", "lower"),
    ]


def _silence_mongod(api: ServedApi) -> None:
    """Stop mongod's process for a while: connections stay open, and nothing answers."""
    os.kill(api.mongod_pid, signal.SIGSTOP)
    try:
        time.sleep(AWAY_S)
    finally:
        os.kill(api.mongod_pid, signal.SIGCONT)


def _add(api: ServedApi, oracle: Oracle, model: Model, number: int) -> str:
    version = add(api, model, number)
    oracle.expect(version, model.forest)
    return version


def _swapped(api: ServedApi, version: str) -> float:
    """Promote ``version``; return the seconds from the pointer's change to the last worker's report."""
    with api.database[SERVICE_HEALTH].watch(max_await_time_ms=100) as reports:
        registry.promote(api.database, SYMBOL, version, "a benchmark")
        began = time.monotonic()
        _await_reports(reports, version)
        return time.monotonic() - began


def _await_reports(reports: ChangeStream[Document], version: str) -> None:
    serving: set[str] = set()
    deadline = time.monotonic() + _LIMIT_S
    while len(serving) < WORKERS:
        change = reports.try_next()
        report = change.get("fullDocument") if change else None
        if report and report["service"] == "api" and report["detail"]["models"].get(SYMBOL) == version:
            serving.add(report["instance"])
        if time.monotonic() > deadline:
            raise TimeoutError(f"{version} is served by {len(serving)} workers after {_LIMIT_S:g} s")


def _refused(api: ServedApi, version: str) -> None:
    """Promote a bad bundle, and return to the one before as soon as it is quarantined."""
    registry.promote(api.database, SYMBOL, version, "a benchmark")
    wait_until(
        lambda: registry.model(api.database, version)["state"] == "quarantined",
        limit=_LIMIT_S,
        what=f"the quarantine of {version}",
    )
    registry.roll_back(api.database, SYMBOL, version, "a benchmark")
