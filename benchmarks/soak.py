"""The live path for half an hour at 2,000 trades a second: memory and latency must stay flat.

``SOAK_MINUTES`` and ``SOAK_RATE`` change how long and how much. Slopes are by least squares over samples
of ten seconds, without the first tenth; beside each stands half the width of its 95 % confidence interval.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict

import numpy as np
import psutil

from benchmarks.figures import Figure
from benchmarks.streaming_latency import Reader, percentiles
from benchmarks.streaming_load import await_trades, nothing_lost
from benchmarks.streaming_path import LivePath, running_path, running_servers
from tests.faults.oracle import Oracle

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
TRADES_PER_SECOND = float(os.environ.get("SOAK_RATE", "2000"))
_SAMPLE_S = 10.0
_WARM_UP = 0.1
_DEVIATIONS = 1.96

Series = list[tuple[float, float]]
"""Hours since the start, and a value."""


def run() -> list[Figure]:
    """Soak the path and return rate, latency, memory and their slopes; raises when a trade is lost."""
    whole = max(1, round(MINUTES))
    with running_servers() as servers, running_path(servers, TRADES_PER_SECOND, minutes=whole) as path:
        await_trades(path)
        oracle = Oracle(path.exchange.url, path.database, path.settings.symbols)
        path.exchange.settle()
        latencies, series, seconds = _observe(path)
        verdict = nothing_lost(path, oracle)
    found = percentiles(latencies)
    return [
        Figure("soak_minutes", round(seconds / 60, 1), "min", "higher"),
        Figure("soak_msgs_per_s", round(len(latencies) / seconds), "1/s", "higher"),
        Figure("soak_trades_checked", verdict.trades, "trades", "higher"),
        *(Figure(f"soak_latency_{name}_ms", round(value, 1), "ms", "lower") for name, value in found.items()),
        *(figure for name, samples in series.items() for figure in _trend(name, samples)),
    ]


def _observe(path: LivePath) -> tuple[list[float], dict[str, Series], float]:
    """Return all latencies, the series of latency and memory, and how many seconds were observed."""
    processes = {part.name: psutil.Process(part.pid) for part in path.parts}
    reader, series = Reader(path.database, path.settings.symbols), defaultdict[str, Series](list)
    began, sampled = time.monotonic(), 0
    reader.start()
    while (passed := time.monotonic() - began) < MINUTES * 60:
        time.sleep(_SAMPLE_S)
        hours, until = (passed + _SAMPLE_S) / 3_600, len(reader.latencies_ms)
        recent, sampled = percentiles(reader.latencies_ms[sampled:until]), until
        for name in ("p50", "p99"):
            series[f"window_{name}_ms"].append((hours, recent[name]))
        for name, process in processes.items():
            series[f"memory_{name}_mb"].append((hours, process.memory_full_info().uss / 2**20))
    reader.end()
    return reader.latencies_ms, series, time.monotonic() - began


def _trend(name: str, samples: Series) -> list[Figure]:
    """Return a series' mean, its slope an hour, and the half width of the slope's interval."""
    hours, values = np.array(samples[int(_WARM_UP * len(samples)) :]).T
    spread = hours - hours.mean()
    slope = float(spread @ values / (spread @ spread))
    rest = values - values.mean() - slope * spread
    error = float(np.sqrt(rest @ rest / max(len(hours) - 2, 1) / (spread @ spread)))
    unit = "ms" if name.endswith("_ms") else "MiB"
    return [
        Figure(f"soak_{name}", round(float(values.mean()), 1), unit, "lower"),
        Figure(f"soak_{name}_slope", round(slope, 2), f"{unit}/h", "lower"),
        Figure(f"soak_{name}_slope_within", round(_DEVIATIONS * error, 2), f"{unit}/h", "lower"),
    ]
